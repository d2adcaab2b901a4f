import t from 'tap'
import { knownPid } from '../../fixtures/known-pid.ts'
import { createApp, pairInProcess } from '../../fixtures/in-process-app.ts'
import { isAlive } from '../../fixtures/supervisor-process.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until, WAIT_MS } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

t.test('a worker whose event loop hangs is killed and replaced; the other keeps its process', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const app = createApp({
    sessionsPath: t.testdir(),
    simulator,
    // Longer than a healthy one is ever silent on a slow machine.
    tuning: { heartbeatIntervalMs: 200, heartbeatDeadlineMs: 20_000 },
  })
  t.teardown(() => app.stop())
  const { url } = await app.start()
  const ids: string[] = []
  for (const phone of testPhones(2)) ids.push(await pairInProcess(app, url, simulator, phone))
  const [hung = '', other = ''] = ids
  const connected = (accountId: string): boolean => {
    const account = app.registry.get(accountId)
    return account !== undefined && app.registry.statusOf(account).status === 'connected'
  }
  await until('both to connect', () => ids.every(connected))
  const before = knownPid(app.registry.get(hung)?.process?.pid)
  const otherBefore = app.registry.get(other)?.process?.pid

  // A stopped process is what a hung event loop looks like from outside: alive, and silent.
  process.kill(before, 'SIGSTOP')
  await app.registry.waitFor(hung, ({ fault }) => fault?.reason === 'worker_hung', WAIT_MS)
  t.equal(app.registry.get(hung)?.fault?.reason, 'worker_hung')
  await until('the account to be back', () => connected(hung) && app.registry.get(hung)?.child.generation === 2)
  t.notOk(isAlive(before), 'the hung process is gone')
  t.equal(app.registry.get(other)?.process?.pid, otherBefore)
  t.ok(connected(other))
  t.same(await app.stop(), [], 'everything flushed')
})
