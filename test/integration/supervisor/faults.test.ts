import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import type { Fault } from '../../simulator/faults.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/**
 * Each way in which a connection can end, injected at the server, seen through the real Baileys in a real worker: what
 * the account says of it, and that it comes back by itself, or waits for a person, with the session untouched.
 */
interface Row {
  name: string
  fault: Fault
  /** The connection is cut first, so that the fault meets the next attempt. */
  atLogin?: true
  status: string
  reason: string
  /** Where absent, it comes back by itself. */
  waits?: true
}

const phone = testPhones(1)[0] ?? ''
const row = (name: string, fault: Fault, status: string, reason: string, more: Partial<Row> = {}): Row => ({
  name,
  fault,
  status,
  reason,
  ...more,
})
const login = (name: string, fault: Fault, status: string, reason: string, more: Partial<Row> = {}): Row =>
  row(name, fault, status, reason, { atLogin: true, ...more })

const ROWS: Row[] = [
  row('TCP drop', { kind: 'drop', phone }, 'disconnected', 'connection_closed'),
  row('ws close 1011', { kind: 'close', code: 1011, phone }, 'disconnected', 'connection_closed'),
  row('xmlstreamend', { kind: 'stream_end', phone }, 'disconnected', 'connection_closed'),
  row('stream:error 515', { kind: 'stream_error', code: 515, phone }, 'connecting', 'restart_required'),
  row('stream:error 500', { kind: 'stream_error', code: 500, phone }, 'disconnected', 'server_error'),
  row('stream:error 503', { kind: 'stream_error', code: 503, phone }, 'disconnected', 'server_error'),
  row('stream:error 429', { kind: 'stream_error', code: 429, phone }, 'disconnected', 'server_error'),
  row('stream:error ack', { kind: 'stream_error', child: 'ack', phone }, 'disconnected', 'server_error'),
  row('stream:error 403', { kind: 'stream_error', code: 403, phone }, 'disconnected', 'forbidden', { waits: true }),
  row('replaced', { kind: 'stream_error', conflict: 'replaced', phone }, 'disconnected', 'replaced', { waits: true }),
  row('downgrade', { kind: 'downgrade', phone }, 'disconnected', 'refused'),
  row('corrupt frame', { kind: 'corrupt_frame', phone }, 'disconnected', 'protocol_error'),
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

await t.test('what ends a connection, and what follows', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath,
    env: {
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const accountId = await pair(service, simulator, phone)
  await service.connected(1)
  const identity = (): unknown => {
    const creds = JSON.parse(readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8')) as Record<
      string,
      unknown
    >
    return [creds['registrationId'], creds['signedIdentityKey']]
  }
  const before = identity()

  for (const { name, fault, atLogin, status, reason, waits } of ROWS) {
    await t.test(name, async (t) => {
      const seen = service.output.length
      simulator.inject(fault)
      if (atLogin) simulator.dropAll(phone)
      // The line of the transition: a state that lasts a second may pass between two looks at the dashboard.
      const line = await until(
        `a line with the reason ${reason}`,
        () => service.lines(seen).find((l) => String(l['event']).startsWith('connection.') && l['reason'] === reason),
        30_000,
        () => service.tail(),
      )
      t.equal(line['status'], status)
      simulator.clearFaults()
      if (waits) {
        const account = await service.account(accountId, (account) => account.reason === reason)
        t.equal(account.status, status)
        if (account.nextTryAt === null) t.equal(account.needsPerson, true)
      } else {
        await service.account(accountId, (account) => account.status === 'connected')
      }
      t.same(identity(), before, 'the session is the same')
      t.notOk(existsSync(join(sessionsPath, '.set-aside')), 'and was not set aside')
      // A fresh process forgets its attempts, so that each row begins alike; and a person may ask for it at any time.
      const generation = (await service.account(accountId, () => true)).process.generation
      await service.api('POST', `/api/whatsapp/accounts/${accountId}/restart`)
      await service.account(accountId, (a) => a.status === 'connected' && a.process.generation > generation)
    })
  }

  await t.test('a server that is not there, and comes back', async (t) => {
    const seen = service.output.length
    await simulator.stopListening()
    simulator.dropAll()
    await until('the failed attempt', () => service.lines(seen).some((l) => l['reason'] === 'connection_lost'))
    t.equal((await service.account(accountId, (a) => a.status === 'disconnected')).needsPerson, false)
    await simulator.listen()
    await service.account(accountId, ({ status }) => status === 'connected')
    t.same(identity(), before)
  })

  await t.test('a node that can not be parsed leaves the connection alone', async (t) => {
    const { reconnectCount } = await service.account(accountId, () => true)
    simulator.inject({ kind: 'unparsable_node', phone })
    await service.logged('rejection.unhandled')
    const { id } = await simulator.sendText({ to: phone, from: '49151000001', text: 'and now?' })
    await until('the receipt', () => simulator.receiptsOf(id).length > 0)
    t.equal((await service.account(accountId, () => true)).reconnectCount, reconnectCount)
  })

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
