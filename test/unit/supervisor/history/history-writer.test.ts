import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, statfsSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { HistoryWriter, WRITER_LIMITS } from '../../../../supervisor/history/history-writer.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { leftOutWithout } from '../../../fixtures/machine-tools.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const NOON = Date.parse('2026-03-10T12:00:00Z')
const KIB = 1024
/** About 50 KiB. */
const BATCH = 1000

/** A disk of its own, as small as that. */
function smallDisk(t: Test, sizeBytes: number): string {
  // Not a testdir: that is removed before it could be unmounted.
  const path = mkdtempSync(join(tmpdir(), 'history-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', path])
  t.teardown(() => {
    execFileSync('umount', ['--lazy', path])
    rmdirSync(path)
  })
  return path
}

const skip = leftOutWithout('root')

t.test('a full disk gets back what it took of a write, and has each line once', { skip }, async (t) => {
  const disk = smallDisk(t, 256 * KIB)
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(disk)
    return bavail * bsize
  }
  const clock = new ManualClock({ epochOffsetMs: NOON })
  const { log, lines } = captureLog()
  const directory = join(disk, '.history')
  const path = join(directory, '2026-03-10.jsonl')
  const writer = new HistoryWriter({ directory, clock, log, limits: WRITER_LIMITS })
  t.teardown(() => writer.stop())
  let written = 0
  const write = (count: number): void => {
    for (let i = 0; i < count; i++) writer.write({ k: 'm', at: NOON + written++, n: 1, i: 0, o: 0 })
  }
  write(10)
  await writer.flush()
  const beforeBytes = statSync(path).size
  t.ok(beforeBytes > 0)

  // Room for a part of the batch.
  const filler = join(disk, 'filler')
  writeFileSync(filler, Buffer.alloc(freeBytes() - 20 * KIB))
  const roomBytes = freeBytes()
  write(BATCH)
  for (let i = 0; i < 3; i++) {
    await writer.flush()
    t.equal(statSync(path).size, beforeBytes, 'as it was')
    t.equal(freeBytes(), roomBytes, 'the room is the sessions’')
  }
  t.equal(lines().filter(({ event }) => event === 'history.not_written').length, 1)

  unlinkSync(filler)
  await writer.flush()
  const found = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { at: number }).at - NOON)
  t.strictSame(
    found,
    Array.from({ length: written }, (_, index) => index),
    'all, in order, none twice',
  )
  t.equal(writer.dropped, 0)
  t.ok(lines().some(({ event }) => event === 'history.recovered'))
})

t.test('a disk that refuses is asked again less and less often', async (t) => {
  const clock = new ManualClock({ epochOffsetMs: NOON })
  const { log } = captureLog()
  // A file in its place: no user, root included, can make the directory.
  const directory = join(t.testdir({ file: '' }), 'file')
  const writer = new HistoryWriter({ directory, clock, log, limits: WRITER_LIMITS })
  t.teardown(() => writer.stop())
  const waits: number[] = []
  writer.write({ k: 'start', at: NOON })
  for (let i = 0; i < 8; i++) {
    waits.push((clock.nextDueMs ?? Infinity) - clock.monotonicMs())
    clock.advance(waits.at(-1) ?? 0)
    // Behind the try that the timer has begun; this one is its repetition.
    await writer.flush()
  }
  t.strictSame(waits.slice(0, 2), [1000, 2000])
  t.equal(waits.at(-1), 30_000)
})
