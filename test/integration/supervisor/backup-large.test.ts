import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import t from 'tap'
import { openSession } from '../../../worker/session/session.ts'
import { BackedUpApp, openArchive } from '../../fixtures/backed-up-app.ts'
import { MemoryTarget } from '../../fixtures/memory-target.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

const SIZE_BYTES = 5_000_000

t.test('a session of five megabytes passes the channel, and the heartbeats go on', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const sessionsPath = t.testdir()
  const target = new MemoryTarget()
  const first = await new BackedUpApp({ sessionsPath, simulator, target }).start(t)
  const [accountId = ''] = await first.pair(1)
  await first.app.stop()

  // As many contacts as make it up.
  const session = await openSession({ dir: join(sessionsPath, accountId) })
  const contacts = Math.ceil(SIZE_BYTES / 1900)
  const values = Object.fromEntries(
    Array.from({ length: contacts }, (_, index) => [`contact${index}.0`, randomBytes(1400)]),
  )
  await session.authState.keys.set({ session: values })
  await session.close()

  const tuning = { heartbeatIntervalMs: 50 }
  const second = new BackedUpApp({ sessionsPath, simulator, target: new MemoryTarget(target.store), tuning })
  await second.start(t)
  await second.connected(accountId)
  await second.saved(accountId)
  let worstWorkerMs = 0
  let beats = 0
  const unsubscribe = second.app.registry.subscribe(() => {
    beats++
    worstWorkerMs = Math.max(worstWorkerMs, second.app.registry.get(accountId)?.process?.loopDelayMs ?? 0)
  })
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  let revision = (await second.saved(accountId)).revision ?? 0
  for (let round = 0; round < 3; round++) {
    second.app.backups?.changed(accountId, { creds: true, paired: true })
    await until('a newer backup', async () => ((await second.saved(accountId)).revision ?? 0) > revision)
    revision = (await second.saved(accountId)).revision ?? 0
  }
  delay.disable()
  unsubscribe()
  t.ok(beats > 0)
  const plainBytes = target.store.archives.get(accountId)?.[0]?.plainBytes ?? 0
  t.ok(plainBytes > SIZE_BYTES, `${plainBytes} bytes`)
  t.comment(
    `${plainBytes} bytes three times: the worker's loop stood still for ${worstWorkerMs} ms at the most, ` +
      `the supervisor's for ${Math.round(delay.max / 1e6)} ms`,
  )
  t.equal(second.app.registry.get(accountId)?.crashCount, 0)
  t.strictSame(await second.app.stop(), [])
  const opened = await openArchive(t, target, accountId)
  // A log of several records: the image's last is a little higher.
  t.ok(opened.revision >= opened.sessionRevision)
})
