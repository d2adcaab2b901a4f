import t from 'tap'
import { REASON_NAMES, type ConnectionReport, type Reason } from '../../../../shared/states.ts'
import type { ChildState, ChildStateName } from '../../../../supervisor/core/child-lifecycle.ts'
import { publicStatus } from '../../../../supervisor/core/status.ts'

const OFFSET_MS = 1_700_000_000_000
const STATES: Record<ChildStateName, ChildState> = {
  absent: { name: 'absent' },
  queued: { name: 'queued' },
  starting: { name: 'starting', sinceMs: 0, killed: false },
  running: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false },
  stopping: { name: 'stopping', sinceMs: 0, forkedMs: 0, killed: false, then: 'queued' },
  backing_off: { name: 'backing_off', untilMs: 5000.4, reason: 'worker_crashed' },
  given_up: { name: 'given_up', reason: 'session_damaged' },
}
const CONNECTED: ConnectionReport = { status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null }
const down = (reason: Reason, nextTryAtMs: number | null): ConnectionReport => ({
  status: 'disconnected',
  reason,
  code: 428,
  attempt: 3,
  nextTryAtMs,
})

t.test('only a living process can be connected', async (t) => {
  for (const state of Object.values(STATES)) {
    const { status } = publicStatus('running', state, CONNECTED, null, OFFSET_MS)
    t.equal(status === 'connected', state.name === 'running', state.name)
  }
  const killed: ChildState = { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: true }
  t.match(publicStatus('running', killed, CONNECTED, null, OFFSET_MS), {
    status: 'disconnected',
    reason: 'worker_hung',
  })
})

t.test('an account that is being removed is stopped, whatever its process still does', async (t) => {
  for (const state of Object.values(STATES)) {
    t.strictSame(publicStatus('removed', state, CONNECTED, 'worker_crashed', OFFSET_MS), {
      status: 'disconnected',
      reason: 'stopped',
      attempt: 0,
      nextTryAtMs: null,
      todo: null,
      needsPerson: false,
    })
  }
})

t.test('a first start is connecting; after a crash the reason stays until the next process reports', async (t) => {
  for (const name of ['queued', 'starting', 'stopping', 'running'] as const) {
    t.match(publicStatus('running', STATES[name], null, null, 0), { status: 'connecting', reason: 'starting' }, name)
    t.match(
      publicStatus('running', STATES[name], null, 'worker_crashed', 0),
      { status: 'disconnected', reason: 'worker_crashed', needsPerson: false },
      name,
    )
  }
})

t.test('a backoff shows when it ends, in epoch time, and the more exact of two reasons', async (t) => {
  const expected = { status: 'disconnected', reason: 'worker_crashed', nextTryAtMs: OFFSET_MS + 5000 }
  t.match(publicStatus('running', STATES.backing_off, null, null, OFFSET_MS), expected)
  t.match(publicStatus('running', STATES.backing_off, null, 'storage_full', OFFSET_MS), { reason: 'storage_full' })
})

t.test('a process that was given up needs a person, for whatever reason', async (t) => {
  for (const reason of REASON_NAMES.filter((name) => name !== 'starting' && name !== 'restoring')) {
    const status = publicStatus('running', { name: 'given_up', reason }, null, null, OFFSET_MS)
    t.match(status, { status: 'disconnected', reason, nextTryAtMs: null, needsPerson: true }, reason)
    t.ok(status.todo, `${reason}: what to do`)
  }
})

t.test("a living process' own words are passed on", async (t) => {
  t.strictSame(publicStatus('running', STATES.running, down('connection_lost', 77), 'worker_crashed', OFFSET_MS), {
    status: 'disconnected',
    reason: 'connection_lost',
    attempt: 3,
    nextTryAtMs: 77,
    todo: null,
    needsPerson: false,
  })
})

t.test('a paused account is down because somebody wants it so, whatever its process does', async (t) => {
  for (const state of Object.values(STATES)) {
    t.match(publicStatus('paused', state, CONNECTED, null, OFFSET_MS), {
      status: 'disconnected',
      reason: 'paused',
      needsPerson: false,
    })
  }
})

t.test('a person is needed for what does not mend itself, and not while a try is planned', async (t) => {
  const person: Reason[] = [
    'not_linked',
    'pairing',
    'qr_expired',
    'logged_out',
    'bad_session',
    'replaced',
    'temporarily_banned',
    'forbidden',
    'banned',
    'client_outdated',
    'session_damaged',
    'wrong_phone',
    'passkey_required',
    'number_taken',
    'restore_failed',
  ]
  for (const reason of REASON_NAMES) {
    const planned = publicStatus('running', STATES.running, down(reason, 1), null, OFFSET_MS)
    const idle = publicStatus('running', STATES.running, down(reason, null), null, OFFSET_MS)
    t.equal(planned.needsPerson, false, `${reason}, a try is planned`)
    t.equal(idle.needsPerson, person.includes(reason), reason)
    if (idle.needsPerson) t.ok(idle.todo, `${reason}: what to do`)
  }
})

t.test('what a person can do is said also where the account goes on trying, if it may help', async (t) => {
  const todo = (reason: Reason, nextTryAtMs: number | null): unknown =>
    publicStatus('running', STATES.running, down(reason, nextTryAtMs), null, OFFSET_MS).todo?.action
  t.equal(todo('storage_full', 1), 'free_disk')
  t.equal(todo('client_outdated', 1), 'update', 'the next try changes nothing by itself')
  t.equal(todo('logged_out', 1), undefined, 'whether WhatsApp means it is not known before the next try')
  t.equal(todo('logged_out', null), 'ask_for_qr')
  t.equal(todo('connection_lost', 1), undefined, 'it comes back by itself')
  t.equal(publicStatus('paused', STATES.absent, null, null, OFFSET_MS).todo?.action, 'resume')
})
