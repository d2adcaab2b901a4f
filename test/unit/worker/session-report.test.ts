import t from 'tap'
import type { FromWorker } from '../../../shared/ipc.ts'
import { SessionReport } from '../../../worker/session-report.ts'
import { openSession } from '../../../worker/session/session.ts'
import { ManualClock, settle } from '../../fixtures/manual-clock.ts'

function reporting(linked = true) {
  const clock = new ManualClock()
  const said: FromWorker[] = []
  const state = { linked }
  const send = async (message: FromWorker): Promise<void> => void said.push(message)
  const report = new SessionReport({ clock, send, isLinked: () => state.linked })
  return { clock, said, state, report }
}

t.test('the first change is told at once, those of the next quarter second in one', async (t) => {
  const { clock, said, report } = reporting()
  report.opened()
  report.committed(5, false)
  for (let revision = 6; revision < 20; revision++) report.committed(revision, revision === 10)
  t.strictSame(said, [{ type: 'session_changed', revision: 5, creds: false, paired: false }])
  clock.advance(250)
  t.strictSame(said[1], { type: 'session_changed', revision: 19, creds: true, paired: false })
  clock.advance(10_000)
  t.equal(said.length, 2)
  t.equal(clock.pending, 0, 'nothing to tell costs nothing')
})

t.test(
  'nothing is told of a session that no phone is linked to; a pairing is told with the creds that say so',
  async (t) => {
    const { said, state, report } = reporting(false)
    report.opened()
    report.committed(1, true)
    report.committed(2, false)
    t.strictSame(said, [])
    state.linked = true
    report.committed(3, false)
    t.strictSame(said, [], 'the creds are not durable yet')
    report.committed(4, true)
    t.strictSame(said, [{ type: 'session_changed', revision: 4, creds: true, paired: true }])
  },
)

t.test('what was durable before the session is open is told with the next record', async (t) => {
  const { said, report } = reporting()
  report.committed(1, true)
  report.opened()
  report.committed(2, false)
  t.match(said, [{ revision: 2, paired: false }])
})

t.test('a snapshot is the whole session, and what it holds is not told after it', async (t) => {
  const { clock, said, state, report } = reporting()
  const session = await openSession({
    dir: t.testdir(),
    onCommit: (revision, creds) => report.committed(revision, creds),
  })
  t.teardown(() => session.close())
  report.opened()
  await session.proveWritable()
  await session.proveWritable()
  await report.answer(7, session)
  t.match(said.at(-1), { type: 'snapshot', requestId: 7, revision: session.revision, linked: true, data: /^.{100}/ })
  const count = said.length
  clock.advance(1000)
  await settle()
  t.equal(said.length, count)

  await report.answer(8, session, session.revision)
  t.match(said.at(-1), { requestId: 8, linked: true, data: null }, 'unchanged')
  state.linked = false
  await report.answer(9, undefined)
  t.match(said.at(-1), { requestId: 9, linked: true, data: null }, 'none is open: it could not be had')
  await report.answer(10, session)
  t.match(said.at(-1), { requestId: 10, linked: false, data: null }, 'nothing to keep')
  state.linked = true
  await session.close()
  await report.answer(11, session)
  t.match(said.at(-1), { requestId: 11, linked: true, data: null }, 'closed')
})
