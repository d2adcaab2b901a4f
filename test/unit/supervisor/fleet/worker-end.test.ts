import t from 'tap'
import { EXIT } from '../../../../shared/exit-codes.ts'
import { newAccount } from '../../../../supervisor/accounts/registry.ts'
import { NEW_CHILD, type ChildState } from '../../../../supervisor/core/child-lifecycle.ts'
import { judgeEnd } from '../../../../supervisor/fleet/worker-end.ts'

const account = (state: ChildState) => ({
  ...newAccount(
    { accountId: 'a', name: 'A', phone: null, desired: 'running', purge: false, createdAt: '2026-01-01T00:00:00.000Z' },
    NEW_CHILD,
  ),
  child: { ...NEW_CHILD, state },
})
const running = (killed: boolean): ChildState => ({ name: 'running', sinceMs: 0, heartbeatMs: 0, killed })
const stopping = (killed: boolean): ChildState => ({
  name: 'stopping',
  sinceMs: 0,
  forkedMs: 0,
  killed,
  then: 'absent',
})
const KILLED = { code: null, signal: 'SIGKILL' } as const
const short = { judge: () => true }
const asked = { judge: () => t.fail('nobody else killed it') }

t.test('what this service kills did not die of memory', async (t) => {
  t.match(judgeEnd(account(running(true)), KILLED, asked), { wanted: false, outOfMemory: false })
  t.match(judgeEnd(account(stopping(true)), KILLED, asked), { wanted: true, outOfMemory: false })
})

t.test('what the kernel kills did, also while it is asked to stop', async (t) => {
  t.match(judgeEnd(account(running(false)), KILLED, short), { wanted: false, flushed: false, outOfMemory: true })
  t.match(judgeEnd(account(stopping(false)), KILLED, short), { wanted: true, flushed: false, outOfMemory: true })
})

t.test('who goes on in a fresh process is wanted, who had nothing open has flushed', async (t) => {
  const none = { judge: () => false }
  t.match(judgeEnd(account(running(false)), { code: EXIT.renew.code, signal: null }, none), { wanted: true })
  for (const name of ['ok', 'sessionDamaged', 'sessionLocked'] as const)
    t.equal(judgeEnd(account(running(false)), { code: EXIT[name].code, signal: null }, none).flushed, true, name)
  t.equal(judgeEnd(account(running(false)), { code: EXIT.crashed.code, signal: null }, none).flushed, false)
})
