import t from 'tap'
import { ServiceLog } from '../../chaos/service-log.ts'

const json = (fields: Record<string, unknown>): string => JSON.stringify({ level: 'info', msg: '', ...fields })

await t.test('collects what was received, and what changed', async (t) => {
  const log = new ServiceLog()
  const received = { accountId: 'a', stream: 's', sequence: 3, messageId: 'm' }
  log.read(json({ level: 'debug', event: 'message.received', ...received }))
  log.read(json({ event: 'connection.connected', status: 'connected', reason: null }))
  log.read(json({ level: 'warn', event: 'connection.disconnected', status: 'disconnected', reason: 'server_error' }))
  t.same(log.received, [received])
  t.same(Object.fromEntries(log.changes), { connected: 1, 'disconnected server_error': 1 })
  t.same(Object.fromEntries(log.complaints), { 'warn connection.disconnected': 1 })
})

await t.test('finds crashes, bugs and stack traces, printed as text or in a line', async (t) => {
  const log = new ServiceLog()
  log.read(json({ level: 'fatal', event: 'supervisor.crashed', msg: 'Bug', stack: 'Error: x\n    at y' }))
  log.read('    at Account.stop (file:///service/worker/account.js:10:5)')
  log.read('    at async Promise.all (index 0)')
  const { crashes, bugs, stackTraces } = log.evidence()
  t.equal(crashes.length, 1)
  t.equal(bugs.length, 1)
  t.equal(stackTraces.length, 3)
})

await t.test('takes what a person reads for no stack trace, and half a line for no line', async (t) => {
  const log = new ServiceLog()
  log.read('  Dashboard (opens once, within 15 minutes): http://127.0.0.1:8080/')
  log.read('{"level":"info","event":"message.recei')
  t.match(log.evidence(), { crashes: [], bugs: [], stackTraces: [] })
  t.equal(log.torn.length, 1)
})

await t.test('a line of another shape is a bug, not a line less', async (t) => {
  const log = new ServiceLog()
  log.read(json({ event: 'message.received', accountId: 'a', stream: 's', sequence: '3', messageId: 'm' }))
  t.equal(log.evidence().bugs.length, 1)
})
