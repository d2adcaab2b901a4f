import t from 'tap'
import { knownPid } from '../../fixtures/known-pid.ts'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { isAlive, SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { startSimulator } from '../../simulator/simulator.ts'

t.test('a worker that hangs while its supervisor is killed does not keep its account down', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey }
  const first = new SupervisorProcess({ sessionsPath, env })
  t.teardown(() => first.end('SIGKILL'))
  await first.listening()
  const [accountId = '', other = ''] = await pairAll(first, simulator, testPhones(2))
  await first.connected(2)
  const pid = knownPid((await first.account(accountId, () => true)).process.pid)
  // What a hung event loop looks like from outside: it does not see that its supervisor is gone.
  process.kill(pid, 'SIGSTOP')
  t.teardown(() => {
    if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  await first.end('SIGKILL')

  const second = new SupervisorProcess({ sessionsPath, env })
  t.teardown(() => second.end('SIGKILL'))
  await second.listening()
  await second.account(other, ({ status }) => status === 'connected')
  t.equal((await second.logged('child.orphan_killed', accountId))['pid'], pid)
  await second.account(accountId, ({ status }) => status === 'connected')
  t.notOk(isAlive(pid))
  t.same(await second.end('SIGTERM'), { code: 0, signal: null }, second.tail())
})
