import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { freePort, startFirestoreEmulator } from '../../../fixtures/firestore-emulator.ts'
import { pairAll, testPhones } from '../../../fixtures/paired-fleet.ts'
import { SupervisorProcess, TOKEN } from '../../../fixtures/supervisor-process.ts'
import { until } from '../../../fixtures/until.ts'
import { startSimulator } from '../../../simulator/simulator.ts'

const COMMAND = fileURLToPath(new URL('../../../../supervisor/backup/backup-command.js', import.meta.url))

interface Ended {
  code: number
  out: string
  err: string
}

async function command(env: Record<string, string>, ...args: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [COMMAND, ...args], { env })
    return { code: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, err: stderr }
  }
}

const newKey = (): string => randomBytes(32).toString('base64')

t.test('an operator looks, saves, verifies, rotates the key and restores', async (t) => {
  const sessionsPath = t.testdir({ sessions: {}, tmp: {} }) + '/sessions'
  const tmp = join(sessionsPath, '..', 'tmp')
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const firestore = await startFirestoreEmulator(t)
  const [oldKey, key] = [newKey(), newKey()]
  const env: Record<string, string> = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    FIRESTORE_PROJECT_ID: 'demo-backup-command',
    FIRESTORE_EMULATOR_HOST: firestore.host,
    BACKUP_ENCRYPTION_KEY: oldKey,
    // What changes after a pairing waits for the operator's word.
    BACKUP_DEBOUNCE_MS: '3600000',
    BACKUP_INTERVAL_MS: '3600000',
    SHUTDOWN_TIMEOUT_MS: '30000',
    PORT: String(await freePort()),
  }
  const outputs: string[] = []
  const run = async (change: Record<string, string>, ...args: string[]): Promise<Ended> => {
    const ended = await command(
      { ...env, ADMIN_TOKEN: TOKEN, SESSIONS_PATH: sessionsPath, TMPDIR: tmp, ...change },
      ...args,
    )
    outputs.push(ended.out, ended.err)
    return ended
  }
  t.match(await run({}, 'now'), { code: 69, err: /does not answer/ }, 'the service does not run')
  const first = new SupervisorProcess({ sessionsPath, env })
  t.teardown(() => first.end('SIGKILL'))
  await first.listening()
  const phones = testPhones(2)
  const [one = '', two = ''] = await pairAll(first, simulator, phones)
  await first.connected(2)
  await until('both to have a backup', async () =>
    (await first.dashboard()).accounts.every(({ backup }) => backup?.revision),
  )
  const [to = ''] = phones
  const hello = async (): Promise<void> => {
    const { id } = await simulator.sendText({ to, from: '49151000001', text: 'hello' })
    await until('its receipt', () => simulator.receiptsOf(id).length > 0)
  }
  // The first message of a contact changes creds, which are saved by themselves; the next one does not.
  await hello()
  t.equal((await run({}, 'now', one)).code, 0)
  await hello()
  await first.account(one, ({ backup }) => backup?.pending === true)

  const now = await run({}, 'now', one)
  t.match(now, { code: 0, out: new RegExp(`${one}: saved as revision \\d+`) })
  // One after another: a command gives up on a read after ten seconds, which several at once can need on a slow machine.
  const again = await run({}, 'now')
  const ofNobody = await run({}, 'now', 'nobody')
  const badToken = await run({ ADMIN_TOKEN: 'another-token-0123456789' }, 'now')
  const status = await run({}, 'status')
  t.equal(again.code, 0)
  t.match(ofNobody, { code: 1, err: /no account "nobody"/ })
  t.match(badToken, { code: 78, err: /refuses the token/ })
  t.match(status, { code: 0, out: /2 accounts, 2 with a backup/ })
  for (const accountId of [one, two]) t.match(status.out, accountId)
  t.match(status.out, /seen \d+ s ago/)
  t.match(status.out, /\(the present key\)/)
  const oldId = /Present key ([0-9a-f]{16})/.exec(status.out)?.[1] ?? 'none'
  const rotated = { BACKUP_ENCRYPTION_KEY: key, BACKUP_OLD_KEYS: oldKey }
  const well = await run({}, 'verify')
  const nobodys = await run({}, 'verify', 'nobody')
  const wrong = await run({ BACKUP_ENCRYPTION_KEY: key }, 'verify')
  const closed = await run({ BACKUP_ENCRYPTION_KEY: key }, 'status')
  const rotation = await run(rotated, 'rotate-key')
  const restoration = await run({}, 'restore', one)
  t.match(well, { code: 0, out: /all well/ }, 'while the service runs')
  t.match(nobodys, { code: 1, out: /nobody: no backup is kept/ })
  t.match(wrong, { code: 1, out: new RegExp(`WRONG: .*sealed with key ${oldId}, which is not configured`) })
  t.match(closed, { code: 1, out: /NOT CONFIGURED/ })
  // The service owns the backups and the sessions while it runs.
  t.match(rotation, { code: 69, err: /the service runs/ })
  t.match(restoration, { code: 69, err: /the service runs/ })
  t.same(await first.end('SIGTERM'), { code: 0, signal: null }, first.tail())

  t.match(await run({ BACKUP_ENCRYPTION_KEY: key }, 'rotate-key'), { code: 1, out: /0 sealed anew, .* 2 not done/ })
  t.match(await run({}, 'status'), { code: 0 }, 'without the old key nothing was changed')
  t.match(await run(rotated, 'rotate-key'), { code: 0, out: /2 sealed anew, 0 needed nothing/ })
  const done = await run(rotated, 'rotate-key')
  const verified = await run({ BACKUP_ENCRYPTION_KEY: key }, 'verify')
  t.match(done, { code: 0, out: /0 sealed anew, 2 needed nothing/ })
  t.match(verified, { code: 0, out: /4 revisions of 2 .* all well/ })
  t.same(readdirSync(tmp), [], 'no opened session is left behind')

  t.match(await run(rotated, 'restore', one), { code: 1, out: /has a session in/ })
  t.match(await run(rotated, 'restore', 'nobody'), { code: 1, out: /no backup of nobody/ })
  rmSync(sessionsPath, { recursive: true })
  mkdirSync(sessionsPath)
  t.match(await run({ BACKUP_ENCRYPTION_KEY: key }, 'restore', one), { code: 0, out: /is in place/ })
  const mark = simulator.mark()
  const second = new SupervisorProcess({ sessionsPath, env: { ...env, BACKUP_ENCRYPTION_KEY: key } })
  t.teardown(() => second.end('SIGKILL'))
  await second.listening()
  const accounts = await second.connected(2)
  t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0, 'nobody was asked to scan')
  t.same(accounts.map(({ name }) => name).sort(), ['Account 01', 'Account 02'])
  t.equal(accounts.find(({ accountId }) => accountId === one)?.notice?.code, 'session_restored')
  t.same(await second.end('SIGTERM'), { code: 0, signal: null }, second.tail())

  const printed = outputs.join('\n')
  for (const secret of [...phones, TOKEN, oldKey, key]) t.notOk(printed.includes(secret), 'no secret was printed')
})

t.test('wrong usage and missing settings are named', async (t) => {
  const SESSIONS_PATH = t.testdir()
  const cases: [string[], Record<string, string>, number, RegExp][] = [
    [[], {}, 64, /no command\n\nUsage/],
    [['--help'], {}, 0, /Usage: npm run backup/],
    [['erase'], {}, 64, /no command "erase"/],
    [['status', 'a'], {}, 64, /status takes no "a"/],
    [['restore'], {}, 64, /restore takes an account id/],
    [['verify', '../a'], {}, 64, /"..\/a" is no account id/],
    [['now', '--wait', 'long'], {}, 64, /--wait is "long"/],
    [['status', '--all'], {}, 64, /--all/],
    [['status'], {}, 78, /FIRESTORE_PROJECT_ID is not set/],
    [
      ['status'],
      { FIRESTORE_PROJECT_ID: 'demo-a', FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' },
      78,
      /set BACKUP_ENCRYPTION_KEY/,
    ],
    [['verify'], { FIRESTORE_PROJECT_ID: 'demo-a', BACKUP_ENCRYPTION_KEY: newKey() }, 78, /GOOGLE_APPLICATION_CREDEN/],
    [['now'], {}, 78, /ADMIN_TOKEN is not set/],
  ]
  const all = await Promise.all(cases.map(([args, env]) => command({ SESSIONS_PATH, ...env }, ...args)))
  for (const [at, [args, , code, text]] of cases.entries()) {
    const ended = all[at] ?? { code: -1, out: '', err: '' }
    t.equal(ended.code, code, args.join(' '))
    t.match(code === 0 ? ended.out : ended.err, text, args.join(' '))
  }
})
