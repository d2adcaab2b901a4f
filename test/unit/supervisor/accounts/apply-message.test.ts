import t from 'tap'
import { applyMessage } from '../../../../supervisor/accounts/apply-message.ts'
import { newAccount, type Account } from '../../../../supervisor/accounts/registry.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { recordOf } from '../../../fixtures/http-service.ts'

const NONE = { lastFrameAtMs: null, lastEventAtMs: null, lastMessageInAtMs: null, lastAckedOutAtMs: null }
const account = (more: Partial<Account> = {}): Account => ({ ...newAccount(recordOf('a'), NEW_CHILD), ...more })
const process = { pid: 1, startedAtMs: 0, rssBytes: null, loopDelayMs: null }

t.test(
  'a heartbeat says what went over the connection; a new process does not take back what the last one saw',
  async (t) => {
    const seen = { ...NONE, lastFrameAtMs: 5, lastMessageInAtMs: 4 }
    const beat = { type: 'heartbeat', rssBytes: 1, loopDelayMs: 2 } as const
    t.strictSame(applyMessage(account({ process }), { ...beat, activity: seen }, 9), {
      process: { ...process, rssBytes: 1, loopDelayMs: 2 },
      activity: seen,
    })
    const next = applyMessage(
      account({ process, activity: seen }),
      { ...beat, activity: { ...NONE, lastFrameAtMs: 8 } },
      9,
    )
    t.strictSame(next.activity, { ...seen, lastFrameAtMs: 8 })
  },
)

t.test('messages count once, with the time at which the worker took them in', async (t) => {
  const message = (sequence: number) =>
    ({ type: 'messages', stream: 's', messages: [{ sequence, id: `M${sequence}`, atMs: sequence }] }) as const
  const parse = (before: Account, sequence: number): Partial<Account> => {
    const { messages, ...rest } = message(sequence)
    return applyMessage(before, { ...rest, messages: [...messages] }, 100)
  }
  t.strictSame(parse(account(), 3), {
    received: { stream: 's', sequence: 3 },
    lastMessageAtMs: 3,
    lastEventAtMs: 100,
  })
  t.strictSame(parse(account({ received: { stream: 's', sequence: 3 } }), 3), {}, 'told again')
})
