import t from 'tap'
import { newAccount, Registry } from '../../../../supervisor/accounts/registry.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { RollingRestart } from '../../../../supervisor/fleet/rolling-restart.ts'
import { recordOf, startHttpService } from '../../../fixtures/http-service.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock, settle } from '../../../fixtures/manual-clock.ts'

t.test('a pause of all connects ends a restart of all: what is still connected stays so', async (t) => {
  const clock = new ManualClock()
  const registry = new Registry(clock)
  for (const id of ['a', 'b', 'c']) registry.put(newAccount(recordOf(id), NEW_CHILD))
  const { log, lines } = captureLog()
  const restarted: string[] = []
  let isHeld = false
  const rolling = new RollingRestart({
    registry,
    clock,
    log,
    random: () => 0,
    stagger: { minMs: 1000, maxMs: 1000 },
    restart: (id) => restarted.push(id),
    isHeld: () => isHeld,
  })
  rolling.begin()
  await settle()
  clock.advance(1000)
  await settle()
  t.strictSame(restarted, ['a', 'b'])
  isHeld = true
  clock.advance(1000)
  await settle()
  t.strictSame(restarted, ['a', 'b'])
  t.equal(rolling.progress, null)
  t.match(lines().at(-1), { event: 'restart_all.aborted', done: 2, total: 3 })
})

t.test('while connects are paused, a restart of all is refused', async (t) => {
  const service = await startHttpService({ sessionsPath: t.testdir(), records: [recordOf('a')] })
  t.teardown(service.stop)
  await service.fleet.pauseConnects()
  t.throws(() => service.fleet.restartAll(), { code: 'connects_paused', message: /connects\/resume/ })
  t.equal(service.registry.get('a')?.child.state.name, 'absent')
})
