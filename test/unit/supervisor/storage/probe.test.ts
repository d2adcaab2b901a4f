import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { StorageState } from '../../../../supervisor/storage/probe.ts'
import { probeStorage, StorageMonitor } from '../../../../supervisor/storage/probe.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const GOOD: StorageState = { exists: true, writable: true, problem: null, full: false }

t.test('a directory that takes writes, and is as it was afterwards', async (t) => {
  const dir = t.testdir({ a: 'x' })
  t.strictSame(await probeStorage(dir), GOOD)
  t.strictSame(readdirSync(dir), ['a'])
})

t.test("many that look at once are in nobody's way", async (t) => {
  const dir = t.testdir({})
  const states = await Promise.all(Array.from({ length: 50 }, () => probeStorage(dir)))
  t.strictSame([...new Set(states.map((state) => JSON.stringify(state)))], [JSON.stringify(GOOD)])
  t.strictSame(readdirSync(dir), [])
})

t.test('a directory that is not there', async (t) => {
  const path = join(t.testdir({}), 'none')
  t.strictSame(await probeStorage(path), {
    exists: false,
    writable: false,
    problem: `${path} does not exist`,
    full: false,
  })
})

t.test('a file in its place, or on the way to it', async (t) => {
  const path = join(t.testdir({ file: 'x' }), 'file')
  t.strictSame(await probeStorage(path), {
    exists: true,
    writable: false,
    problem: `${path} is not a directory`,
    full: false,
  })
  t.match(await probeStorage(join(path, 'below')), { writable: false, problem: 'ENOTDIR', full: false })
})

t.test('a file system without a place for writing', async (t) => {
  // The kernel's own: it exists everywhere, and refuses even root.
  t.match(await probeStorage('/proc'), { exists: true, writable: false })
})

/** Lets the look that is under way come to its end: it does real I/O. */
async function looked(clock: ManualClock): Promise<void> {
  const giveUpMs = performance.now() + 20_000
  while (performance.now() < giveUpMs) {
    // The monitor sets its next timer, half a minute from now, when a look is over.
    if (clock.nextDueMs === clock.monotonicMs() + 30_000) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`the look did not end: next timer at ${clock.nextDueMs}, now ${clock.monotonicMs()}`)
}

t.test('the monitor notices a loss and a recovery within half a minute, and logs each once', async (t) => {
  const dir = join(t.testdir({ volume: {} }), 'volume')
  const clock = new ManualClock()
  const { log, lines } = captureLog()
  const monitor = new StorageMonitor(dir, GOOD, clock, log)
  t.teardown(() => monitor.stop())
  monitor.start()
  const half = async (): Promise<void> => {
    clock.advance(30_000)
    await looked(clock)
  }
  await half()
  t.strictSame(monitor.state, GOOD)
  renameSync(dir, `${dir}.away`)
  t.strictSame(monitor.state, GOOD, 'asking costs nothing: it is not looked at then')
  await half()
  await half()
  t.match(monitor.state, { exists: false, writable: false })
  renameSync(`${dir}.away`, dir)
  await half()
  t.strictSame(monitor.state, GOOD)
  t.strictSame(
    lines().map(({ level, event }) => [level, event]),
    [
      ['error', 'storage.lost'],
      ['info', 'storage.recovered'],
    ],
  )
})

t.test('after stop it looks no more, also when it was looking', async (t) => {
  const clock = new ManualClock()
  const monitor = new StorageMonitor(t.testdir({}), GOOD, clock, captureLog().log)
  monitor.start()
  monitor.stop()
  monitor.start()
  t.equal(clock.pending, 0)
})
