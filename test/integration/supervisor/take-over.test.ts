import { cpSync, existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { clientFor, simulatorFor, tameBaileys } from '../simulator/baileys-client.ts'

tameBaileys()
const SESSION_COMMAND = fileURLToPath(new URL('../../../worker/session/session-command.js', import.meta.url))

t.test("a session of Baileys' own layout is taken over, connects without a QR code, and goes back", async (t) => {
  const simulator = await simulatorFor(t, { reportedPreKeys: 0 })
  const [phone = ''] = testPhones(1)
  const stock = clientFor(t, simulator)
  await stock.pair(simulator, phone)
  await stock.stop()
  const filesBefore = readdirSync(stock.directory).filter((name) => name.endsWith('.json'))
  t.ok(filesBefore.length > 800, 'a real one: 812 prekeys')

  const root = t.testdir({ sessions: {} })
  const sessionsPath = join(root, 'sessions')
  cpSync(stock.directory, join(sessionsPath, 'account_old_name'), { recursive: true })
  const mark = simulator.mark()
  const service = new SupervisorProcess({
    sessionsPath,
    // As the compiled files are, without the bundle.
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, WORKER_BUNDLE: 'off' },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const [account] = await service.connected(1)
  t.equal(account?.accountId, 'account_old_name', 'the directory keeps its name')
  t.equal(account?.phone, '+407****01', 'its phone is known from its creds')
  t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0)
  const added = await service.add(phone)
  t.equal(added.accountId, 'account_old_name', 'its phone is that account')
  t.same(await service.end('SIGTERM'), { code: 0, signal: null })

  const dir = join(sessionsPath, 'account_old_name')
  t.ok(existsSync(join(dir, 'session.log')))
  t.equal(statSync(join(dir, 'session.log')).mode & 0o777, 0o600)
  t.equal(statSync(dir).mode & 0o777, 0o700)
  t.notOk(
    readdirSync(dir).some((name) => name.startsWith('pre-key-')),
    'the old files were moved aside',
  )

  const target = join(root, 'exported')
  const { stdout } = await promisify(execFile)(process.execPath, [
    SESSION_COMMAND,
    'export',
    'account_old_name',
    target,
    '--sessions',
    sessionsPath,
  ])
  t.match(stdout, 'files written')
  const back = clientFor(t, simulator, {}, 'back')
  cpSync(target, back.directory, { recursive: true })
  await back.reconnect()
  const { id } = await simulator.sendText({ to: phone, from: '49151000009', text: 'still there?' })
  t.ok(await back.message(id), 'the stock store goes on where the log was')
})
