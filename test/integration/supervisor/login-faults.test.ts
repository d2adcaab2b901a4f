import t from 'tap'
import { login, phone, runRows, type Row } from './fixtures/fault-table.ts'

const ROWS: Row[] = [
  login('login 402', { kind: 'fail_login', reason: 402, phone }, 'disconnected', 'temporarily_banned', { waits: true }),
  login('login 403', { kind: 'fail_login', reason: 403, phone }, 'disconnected', 'forbidden', { waits: true }),
  login('login 405', { kind: 'fail_login', reason: 405, phone }, 'disconnected', 'client_outdated', { waits: true }),
  login('login 406', { kind: 'fail_login', reason: 406, phone }, 'disconnected', 'banned', { waits: true }),
  login('login 400', { kind: 'fail_login', reason: 400, phone }, 'disconnected', 'refused'),
  login('login 409', { kind: 'fail_login', reason: 409, phone }, 'disconnected', 'client_outdated', { waits: true }),
  login('login 411', { kind: 'fail_login', reason: 411, phone }, 'disconnected', 'refused'),
  login('login 415', { kind: 'fail_login', reason: 415, phone }, 'disconnected', 'refused'),
  login('login 418', { kind: 'fail_login', reason: 418, phone }, 'disconnected', 'client_outdated', { waits: true }),
  login('login 429', { kind: 'fail_login', reason: 429, phone }, 'disconnected', 'server_error'),
  login('login 463', { kind: 'fail_login', reason: 463, phone }, 'disconnected', 'refused'),
  login('login 501', { kind: 'fail_login', reason: 501, phone }, 'disconnected', 'server_error'),
  login('login 500', { kind: 'fail_login', reason: 500, phone }, 'disconnected', 'server_error'),
  login('login 503', { kind: 'fail_login', reason: 503, phone }, 'disconnected', 'server_error'),
  // The drop before it was a failure, and a permit is still to be had: shown as down until the socket opens.
  login('login 515', { kind: 'fail_login', reason: 515, phone }, 'disconnected', 'restart_required'),
  login('HTTP 403 on the upgrade', { kind: 'refuse_upgrade', status: 403 }, 'disconnected', 'connect_refused'),
  login('HTTP 503 on the upgrade', { kind: 'refuse_upgrade', status: 503 }, 'disconnected', 'connect_refused'),
  login('HTTP 429 on the upgrade', { kind: 'refuse_upgrade', status: 429 }, 'disconnected', 'connect_refused'),
  login('bad certificate', { kind: 'bad_certificate' }, 'disconnected', 'connection_closed'),
]

await t.test('what refuses a login, and what follows', async (t) => {
  const { service } = await runRows(t, ROWS)
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
