import t from 'tap'
import { nodeFs, type SessionFile, type SessionFs } from '../../../../shared/session/session-fs.ts'
import { openAck, readAck, type AckMark } from '../../../../worker/session/ack-mark.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { until } from '../../../fixtures/until.ts'
import { SimulatedDisk } from './fixtures/disk.ts'
import { Random } from './fixtures/random.ts'

const DIR = '/sessions/account'

interface Opened {
  disk: SimulatedDisk
  clock: ManualClock
  mark: AckMark
  noted: () => Promise<number | undefined>
}

async function opened(revision: number): Promise<Opened> {
  const disk = SimulatedDisk.of({ sessions: { account: {} } })
  const clock = new ManualClock()
  const mark = await openAck(disk, DIR, revision, clock, (error) => {
    throw error
  })
  await disk.syncDir(DIR)
  return { disk, clock, mark, noted: () => readAck(disk, DIR) }
}

t.test('what was found at the opening is noted at once, what comes after it every five seconds', async (t) => {
  const { clock, mark, noted } = await opened(7)
  await until('the first', async () => (await noted()) === 7)
  for (let revision = 8; revision <= 20; revision++) mark.advance(revision)
  t.equal(clock.pending, 1, 'one write for all of them')
  clock.advance(4999)
  t.equal(await noted(), 7)
  clock.advance(1)
  await until('the last', async () => (await noted()) === 20)
  t.equal(clock.pending, 0, 'nothing is due while nothing happens')
  mark.advance(19)
  clock.advance(5000)
  mark.advance(21)
  clock.advance(5000)
  await until('the next one', async () => (await noted()) === 21)
})

t.test('the closing notes the last one and syncs it', async (t) => {
  const { disk, clock, mark } = await opened(1)
  mark.advance(2)
  await Promise.all([mark.close(), mark.close()])
  t.equal(clock.pending, 0)
  mark.advance(3)
  t.equal(clock.pending, 0, 'nothing after it')
  for (let seed = 0; seed < 20; seed++) t.equal(await readAck(disk.crash(new Random(seed)), DIR), 2)
})

t.test('a write that fails is told once and ends the writing; what was noted stays', async (t) => {
  const dir = t.testdir({})
  const clock = new ManualClock()
  const errors: unknown[] = []
  let isFull = false
  const fs: SessionFs = {
    ...nodeFs,
    open: async (path, how) => {
      const file = await nodeFs.open(path, how)
      const write: SessionFile['write'] = async (source, position) => {
        if (isFull) throw Object.assign(new Error('write'), { code: 'ENOSPC' })
        return file.write(source, position)
      }
      return { ...file, write }
    },
  }
  const mark = await openAck(fs, dir, 1, clock, (error) => errors.push(error))
  await until('the first', async () => (await readAck(fs, dir)) === 1)
  isFull = true
  mark.advance(2)
  clock.advance(5000)
  await until('the failure', () => errors.length > 0)
  isFull = false
  mark.advance(3)
  t.equal(clock.pending, 0)
  await mark.close()
  t.equal(errors.length, 1)
  t.equal(await readAck(fs, dir), 1)
})
