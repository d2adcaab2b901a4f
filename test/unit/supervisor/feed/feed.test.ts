import t from 'tap'
import { Registry } from '../../../../supervisor/accounts/registry.ts'
import { GATE_LIMITS } from '../../../../supervisor/core/connect-gate.ts'
import { Feed } from '../../../../supervisor/feed/feed.ts'
import type { Trouble } from '../../../../supervisor/fleet/find-trouble.ts'
import { Gatekeeper } from '../../../../supervisor/fleet/gatekeeper.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

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
  const feed = new Feed({
    views: {
      registry,
      fleet: {
        get trouble(): Trouble | null {
          const { trouble, nextProbeAtMs } = gate
          if (trouble === null) return null
          return { kind: 'network', sinceMs: trouble.sinceMs, accounts: 3, message: 'Down', nextProbeAtMs }
        },
        connectsPaused: false,
        restarting: null,
      },
      actions: { running: [] },
      storage: { state: { exists: true, writable: true, problem: null, full: false } },
      backups: null,
      clock,
      sessionsPath: '/nowhere',
      maxAccounts: 3,
      service: { version: '1.2.3', startedMonotonicMs: 0, status: () => 'running', boot: () => null },
    },
    qr: { render: async () => '' },
    clock,
    log,
    boot: 'b00700000000',
  })
  t.teardown(() => feed.stop())
  feed.start()
  const told: string[] = []
  feed.listen('all', (frame) => told.push(frame.toString()))
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
