import t from 'tap'
import { STORAGE_SILENT_MS, type ServiceState } from '../../../../supervisor/core/service-state.ts'
import { ServiceLink } from '../../../../supervisor/systemd/service-link.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

function setUp(watchdogMs: number | null) {
  const clock = new ManualClock()
  const said: string[] = []
  const state: ServiceState = {
    phase: 'starting',
    counts: { connected: 0, connecting: 0, disconnected: 0, needs_qr: 0 },
    trouble: null,
    storageProblem: null,
    storageAnsweredMs: 0,
  }
  const { log, lines } = captureLog()
  const send = (variables: Readonly<Record<string, string>>): void =>
    void said.push(
      Object.entries(variables)
        .map(([name, value]) => `${name}=${value}`)
        .join(' '),
    )
  const link = new ServiceLink({
    notify: { send, flushSync: () => undefined },
    watchdogMs,
    clock,
    log,
    state: () => state,
  })
  const take = (): string[] => said.splice(0)
  return { clock, state, link, take, lines }
}

t.test('from the start to the end', async (t) => {
  const { clock, state, link, take } = setUp(30_000)
  clock.advance(60_000)
  t.strictSame(take(), ['STATUS=Starting'], 'before READY there is no watchdog to feed')
  state.phase = 'running'
  state.storageAnsweredMs = 60_000
  link.ready()
  t.strictSame(take(), ['READY=1 STATUS=no accounts yet', 'WATCHDOG=1'])
  clock.advance(9000)
  t.strictSame(take(), [])
  state.counts = { ...state.counts, connected: 1 }
  clock.advance(1000)
  t.strictSame(take(), ['STATUS=1/1 connected', 'WATCHDOG=1'], 'three times within the time that it has')
  state.phase = 'stopping'
  link.stopping()
  link.stopping()
  t.strictSame(take(), ['STOPPING=1', 'STATUS=Stopping: 1 accounts flush', 'EXTEND_TIMEOUT_USEC=5000000'])
  clock.advance(2000)
  t.strictSame(take(), ['EXTEND_TIMEOUT_USEC=5000000', 'EXTEND_TIMEOUT_USEC=5000000'])
  link.end()
  t.equal(clock.pending, 0)
})

t.test('a disk that hangs starves the watchdog, and is said once; one that answers again feeds it', async (t) => {
  const { clock, state, link, take, lines } = setUp(3000)
  state.phase = 'running'
  link.ready()
  clock.advance(STORAGE_SILENT_MS - 1)
  take()
  clock.advance(10_000)
  t.strictSame(take(), [])
  t.strictSame(
    lines().map(({ level, event }) => [level, event]),
    [['fatal', 'watchdog.starved']],
  )
  state.storageAnsweredMs = clock.monotonicMs()
  clock.advance(1000)
  t.strictSame(take(), ['WATCHDOG=1'])
})

t.test('without a watchdog there is nothing to feed', async (t) => {
  const { clock, state, link, take } = setUp(null)
  state.phase = 'running'
  link.ready()
  clock.advance(10_000)
  t.strictSame(take(), ['STATUS=Starting', 'READY=1 STATUS=no accounts yet'])
})
