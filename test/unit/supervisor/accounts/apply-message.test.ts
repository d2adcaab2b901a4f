import t from 'tap'
import { applyMessage } from '../../../../supervisor/accounts/apply-message.ts'
import { newAccount, NO_COUNTS, type Account } from '../../../../supervisor/accounts/registry.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { recordOf } from '../../../fixtures/http-service.ts'

const NONE = { lastFrameAtMs: null, lastEventAtMs: null, lastMessageInAtMs: null, lastAckedOutAtMs: null }
const account = (more: Partial<Account> = {}): Account => ({ ...newAccount(recordOf('a'), NEW_CHILD), ...more })
const NEW = { pid: 1, startedAtMs: 0, rssBytes: null, loopDelayMs: null, cpu: null, cpuPercent: null }
const process = { ...NEW, counted: NO_COUNTS }
const counts = { messagesIn: 3, messagesOut: 2, decryptFailures: 1 }

t.test(
  'a heartbeat says what went over the connection; a new process does not take back what the last one saw',
  async (t) => {
    const seen = { ...NONE, lastFrameAtMs: 5, lastMessageInAtMs: 4 }
    const beat = { type: 'heartbeat', rssBytes: 1, loopDelayMs: 2, cpuMs: 400, counts } as const
    t.strictSame(applyMessage(account({ process }), { ...beat, activity: seen }, 1000, 9), {
      process: { ...process, rssBytes: 1, loopDelayMs: 2, cpu: { usedMs: 400, atMonotonicMs: 9 }, counted: counts },
      activity: seen,
      counts,
    })
    const next = applyMessage(
      account({ process, activity: seen }),
      { ...beat, activity: { ...NONE, lastFrameAtMs: 8 } },
      1000,
      9,
    )
    t.strictSame(next.activity, { ...seen, lastFrameAtMs: 8 })
  },
)

t.test('counts go on over processes; CPU is a share of one core over the last heartbeats', async (t) => {
  const beat = (cpuMs: number, messagesIn: number) =>
    ({
      type: 'heartbeat',
      rssBytes: 1,
      loopDelayMs: 0,
      cpuMs,
      activity: NONE,
      counts: { messagesIn, messagesOut: 0, decryptFailures: 1 },
    }) as const
  let now = account({ process })
  // The host's clock is set back all the while.
  const hear = (message: ReturnType<typeof beat>, monotonicMs: number): void => {
    now = { ...now, ...applyMessage(now, message, -monotonicMs, monotonicMs) }
  }
  hear(beat(1000, 2), 10_000)
  t.equal(now.process?.cpuPercent, null, 'one heartbeat measures nothing')
  hear(beat(2000, 5), 20_000)
  t.equal(now.process?.cpuPercent, 10)
  hear(beat(2000, 5), 30_000)
  t.equal(now.process?.cpuPercent, 5, 'half of it is the last')
  hear(beat(9000, 5), 30_000)
  t.equal(now.process?.cpuPercent, 5, 'two at once measure nothing')
  t.strictSame(now.counts, { messagesIn: 5, messagesOut: 0, decryptFailures: 1 })
  now = { ...now, process }
  hear(beat(100, 1), 40_000)
  t.strictSame(now.counts, { messagesIn: 6, messagesOut: 0, decryptFailures: 2 }, 'the next process begins anew')
})

t.test('messages count once, with the time at which the worker took them in', async (t) => {
  const message = (sequence: number) =>
    ({ type: 'messages', stream: 's', messages: [{ sequence, id: `M${sequence}`, atMs: sequence }] }) as const
  const parse = (before: Account, sequence: number): Partial<Account> => {
    const { messages, ...rest } = message(sequence)
    return applyMessage(before, { ...rest, messages: [...messages] }, 100, 5)
  }
  t.strictSame(parse(account(), 3), {
    received: { stream: 's', sequence: 3 },
    lastMessageAtMs: 3,
    lastEventAtMs: 100,
  })
  t.strictSame(parse(account({ received: { stream: 's', sequence: 3 } }), 3), {}, 'told again')
})
