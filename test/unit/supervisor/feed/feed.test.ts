import t, { type Test } from 'tap'
import { newAccount, Registry } from '../../../../supervisor/accounts/registry.ts'
import { GATE_LIMITS } from '../../../../supervisor/core/connect-gate.ts'
import { Feed } from '../../../../supervisor/feed/feed.ts'
import type { Trouble } from '../../../../supervisor/fleet/find-trouble.ts'
import { Gatekeeper } from '../../../../supervisor/fleet/gatekeeper.ts'
import type { ViewDeps } from '../../../../supervisor/views/fleet-view.ts'
import { recordOf } from '../../../fixtures/http-service.ts'
import { captureLog, type LogLine } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

/** A feed of `registry` that has begun and tells `told`; what it logs is in `lines`. */
function started(
  t: Test,
  options: { registry: Registry; clock: ManualClock; fleet?: ViewDeps['fleet']; render?: () => Promise<string> },
): { feed: Feed; told: string[]; lines: () => LogLine[] } {
  const { registry, clock, render = async () => '' } = options
  const { fleet = { trouble: null, connectsPaused: false, restarting: null } } = options
  const { log, lines } = captureLog()
  const views: ViewDeps = {
    registry,
    fleet,
    actions: { running: [] },
    storage: { state: { exists: true, writable: true, problem: null, full: false } },
    backups: null,
    clock,
    sessionsPath: '/nowhere',
    maxAccounts: 3,
    service: { version: '1.2.3', startedMonotonicMs: 0, status: () => 'running', boot: () => null },
  }
  const feed = new Feed({ views, qr: { render }, clock, log, boot: 'b00700000000' })
  t.teardown(() => feed.stop())
  feed.start()
  const told: string[] = []
  feed.listen('admin', (frame) => told.push(frame.toString()))
  return { feed, told, lines }
}

/** As the system's: the time of day in whole milliseconds, the monotonic one in fractions. */
class FineClock extends ManualClock {
  override nowMs(): number {
    return Math.floor(super.nowMs())
  }
}

t.test('a probe that is planned is told once, however often and by whichever clock it is looked at', async (t) => {
  const clock = new FineClock()
  const { log } = captureLog()
  const registry = new Registry(clock)
  const nothing = (): void => undefined
  const gate = new Gatekeeper(GATE_LIMITS, clock, log, nothing, nothing, nothing)
  const fleet = {
    get trouble(): Trouble | null {
      const { trouble, nextProbeAtMs } = gate
      if (trouble === null) return null
      return { kind: 'network', sinceMs: trouble.sinceMs, accounts: 3, message: 'Down', nextProbeAtMs }
    },
    connectsPaused: false,
    restarting: null,
  } as const
  const { feed, told } = started(t, { registry, clock, fleet })
  for (const accountId of ['a', 'b', 'c']) {
    gate.request(accountId)
    clock.advance(1000)
    gate.settle(accountId, 'failed')
  }
  gate.request('a')
  feed.flush()
  told.length = 0

  const planned = new Set<number | null>()
  for (let i = 0; i < 100; i++) {
    // Fractions of a millisecond, 37 ms in all: the probe is later.
    clock.advance(0.37)
    planned.add(gate.nextProbeAtMs)
    feed.flush()
  }
  t.ok(planned.size > 1, `the two clocks disagree: ${[...planned].join(' ')}`)
  t.strictSame(told, [], 'no news')

  clock.advance(GATE_LIMITS.probeGapCapMs)
  feed.flush()
  t.ok(told.length > 0, 'the one after it is news')
  t.match(told.at(-1), 'fleet.event')
})

t.test('a QR code that could not be drawn is drawn at a later look, while it lives', async (t) => {
  const clock = new ManualClock()
  const registry = new Registry(clock)
  let isBroken = true
  const render = async (): Promise<string> => {
    if (isBroken) throw new Error('The thread died.')
    return 'data:image/png;base64,AA=='
  }
  const { told, lines } = started(t, { registry, clock, render })
  const state = { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false } as const
  registry.put({
    ...newAccount(recordOf('a'), { generation: 1, failures: 0, state }),
    connection: { status: 'needs_qr', reason: 'pairing', code: null, attempt: 0, nextTryAtMs: null },
    qr: { text: 'a code', expiresAtMs: clock.nowMs() + 60_000 },
  })
  await clock.advanceAsync(1000)
  t.match(lines().at(-1), { event: 'qr.not_drawn', accountId: 'a' })
  const isQr = (frame: string): boolean => frame.includes('account.qr')
  t.notOk(told.some(isQr))
  isBroken = false
  await clock.advanceAsync(20_000)
  t.match(told.filter(isQr), [/data:image/], 'once')
})
