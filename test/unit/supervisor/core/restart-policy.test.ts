import t from 'tap'
import { EXIT, type ExitName } from '../../../../shared/exit-codes.ts'
import type { Reason } from '../../../../shared/states.ts'
import {
  afterUnwantedExit,
  HEALTHY_AFTER_MS,
  NO_MEMORY_BACKOFF,
  type AfterExit,
} from '../../../../supervisor/core/restart-policy.ts'

const exit = (
  code: number | null,
  more: { signal?: string; hung?: boolean; outOfMemory?: boolean; uptimeMs?: number } = {},
) => ({
  code,
  signal: null,
  hung: false,
  outOfMemory: false,
  uptimeMs: 1000,
  ...more,
})
const again = (reason: Reason): AfterExit => ({ do: 'restart', delayMs: 2000, failures: 2, reason })

const BY_NAME: Record<ExitName, AfterExit> = {
  ok: again('worker_crashed'),
  notFlushed: again('worker_crashed'),
  unavailable: again('worker_crashed'),
  crashed: again('worker_crashed'),
  sessionDamaged: { do: 'give_up', failures: 2, reason: 'session_damaged' },
  storageFailed: again('storage_failed'),
  sessionLocked: again('session_locked'),
  renew: { do: 'restart', delayMs: 0, failures: 0, reason: 'starting' },
  badConfig: { do: 'give_up', failures: 2, reason: 'worker_crashed' },
}

for (const [name, expected] of Object.entries(BY_NAME)) {
  t.test(`an end with ${name}`, async (t) => {
    t.strictSame(afterUnwantedExit(exit(EXIT[name as ExitName].code), 1, 0.5), expected)
  })
}

t.test('every other code and every signal is a crash, which never gives an account up', async (t) => {
  const ours = new Set<number>(Object.values(EXIT).map(({ code }) => code))
  for (let code = 0; code < 256; code++) {
    if (!ours.has(code)) t.strictSame(afterUnwantedExit(exit(code), 1, 0.5), again('worker_crashed'), `code ${code}`)
  }
  for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGTERM']) {
    t.strictSame(afterUnwantedExit(exit(null, { signal }), 1, 0.5), again('worker_crashed'), signal)
  }
  t.strictSame(afterUnwantedExit(exit(null), 1, 0.5), again('worker_crashed'), 'a fork that failed')
  t.strictSame(afterUnwantedExit(exit(null, { signal: 'SIGKILL', hung: true }), 1, 0.5), again('worker_hung'))
})

t.test('a damaged session is called that, even if the worker also hung', async (t) => {
  const after = afterUnwantedExit(exit(EXIT.sessionDamaged.code, { hung: true }), 0, 0.5)
  t.strictSame(after, { do: 'give_up', failures: 1, reason: 'session_damaged' })
})

t.test('a healthy minute makes the next crash a first one', async (t) => {
  t.match(afterUnwantedExit(exit(70, { uptimeMs: HEALTHY_AFTER_MS - 1 }), 8, 0.5), { failures: 9, delayMs: 30_000 })
  t.match(afterUnwantedExit(exit(70, { uptimeMs: HEALTHY_AFTER_MS }), 8, 0.5), { failures: 1, delayMs: 1000 })
})

t.test('one that finds no memory comes back after a second, then later and later, up to ten minutes', async (t) => {
  const killed = (uptimeMs: number, failures: number) =>
    afterUnwantedExit(exit(null, { signal: 'SIGKILL', outOfMemory: true, uptimeMs }), failures, 0.5)
  const reason = 'out_of_memory'
  t.strictSame(killed(86_400_000, 0), { do: 'restart', delayMs: 1000, failures: 1, reason })
  t.strictSame(killed(NO_MEMORY_BACKOFF.capMs, 9), { do: 'restart', delayMs: 1000, failures: 1, reason })
  t.strictSame(killed(HEALTHY_AFTER_MS, 5), { do: 'restart', delayMs: 32_000, failures: 6, reason })
  t.strictSame(killed(1000, 5), { do: 'restart', delayMs: 32_000, failures: 6, reason })
  t.strictSame(killed(1000, 40), { do: 'restart', delayMs: 600_000, failures: 41, reason })
})

t.test('the delay spreads with the random number', async (t) => {
  t.match(afterUnwantedExit(exit(70), 0, 0), { delayMs: 900 })
  t.match(afterUnwantedExit(exit(70), 0, 0.999), { delayMs: 1100 })
})
