import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/**
 * Every socket of a fleet is dropped, and the server is not there for a while: packets vanish, the worst case, since an
 * attempt hangs for longer than the outage lasts. How fast a large fleet comes back is measured by
 * `npm run bench -- mass-drop`.
 */
const COUNT = 8
/** So few connects a second that some accounts still wait for their turn when the gate closes, as in a large fleet. */
const RATE_PER_S = 0.7

await t.test('a mass drop while packets vanish', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath,
    env: {
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
      CONNECT_RATE_MAX: String(RATE_PER_S),
    },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const accountIds = await pairAll(service, simulator, testPhones(COUNT))
  const before = await service.connected(COUNT)
  const identities = (): unknown[] =>
    accountIds.map((accountId) => {
      const creds = JSON.parse(readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8')) as Record<
        string,
        unknown
      >
      return [creds['registrationId'], creds['signedIdentityKey']]
    })
  const identitiesBefore = identities()
  t.equal((await service.dashboard()).trouble, null)

  const printed = service.output.length
  const attemptsBefore = simulator.attempts().length
  simulator.inject({ kind: 'never_upgrade', times: 'until_cleared' })
  const droppedAtMs = Date.now()
  t.equal(simulator.dropAll(), COUNT)

  await t.test('is one event of the fleet, and costs what the gate allows', async (t) => {
    const { trouble, summary } = await until('trouble in the API', async () => {
      const seen = await service.dashboard()
      return seen.trouble !== null && seen
    })
    t.ok((trouble?.accounts ?? 0) >= 3, `${trouble?.accounts} accounts`)
    t.equal(summary.connected, 0, 'nobody is said to be connected')
    t.equal(summary.needs_qr, 0)
    const attempts = simulator.attempts().slice(attemptsBefore)
    t.ok(attempts.length >= 3)
    t.ok(
      attempts.every(({ outcome }) => outcome === 'upgrade_ignored'),
      'none got through',
    )
    const elapsedS = ((attempts.at(-1)?.atMs ?? droppedAtMs) - droppedAtMs) / 1000
    const allowed = 1 + RATE_PER_S * elapsedS
    t.ok(attempts.length <= allowed, `${attempts.length} attempts in ${elapsedS} s, at most ${allowed} allowed`)
  })

  await t.test('ends by itself when the server is back: all connected, nothing lost', async (t) => {
    simulator.clearFaults()
    const after = await service.connected(COUNT)
    t.equal((await service.dashboard()).trouble, null)
    t.same(
      after.map(({ process }) => process.pid),
      before.map(({ process }) => process.pid),
      'the same processes',
    )
    t.same(identities(), identitiesBefore, 'the same sessions')
    t.notOk(existsSync(join(sessionsPath, '.set-aside')), 'none was set aside')
    const lines = service.lines(printed)
    t.notOk(
      lines.some(({ event }) => event === 'connection.needs_qr'),
      'no account wanted a QR code',
    )
    const gate = lines.map(({ event }) => event).filter((event) => String(event).startsWith('gate.'))
    t.same(gate, ['gate.closed', 'gate.opened'], 'one line for its begin and one for its end')
  })

  await t.test('an account whose login is never answered holds nobody else', async (t) => {
    const [phone = ''] = testPhones(1)
    const [slowId = '', ...others] = accountIds
    simulator.inject({ kind: 'no_success', phone, times: 'until_cleared' })
    const from = service.output.length
    t.equal(simulator.dropAll(), COUNT)
    // By their logins: right after the drop as many may count as connected, the slow one among them.
    await until('the others to log in again', () => {
      const again = service.lines(from).filter(({ event }) => event === 'connection.connected')
      return others.every((id) => again.some(({ accountId }) => accountId === id))
    })
    const { accounts, trouble } = await until('the others to be shown so', async () => {
      const shown = await service.dashboard()
      return shown.summary.connected === COUNT - 1 && shown
    })
    t.not(accounts.find(({ accountId }) => accountId === slowId)?.status, 'connected')
    t.equal(trouble, null, 'one account is its own trouble')
    simulator.clearFaults()
    await service.connected(COUNT)
  })

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
