import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { useMultiFileAuthState } from '@whiskeysockets/baileys'
import t from 'tap'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { readAll, treeOf, writeStock } from './fixtures/stock.ts'

const COMMAND = fileURLToPath(new URL('../../../../worker/session/session-command.js', import.meta.url))

function command(sessionsPath: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [COMMAND, ...args, '--sessions', sessionsPath], { encoding: 'utf8', env: {} })
}

process.umask(0)

t.test('a directory of Baileys is taken over whole, and exported again as Baileys reads it', async (t) => {
  const sessionsPath = t.testdir({})
  const dir = join(sessionsPath, 'account')
  const expected = await readAll(await writeStock(dir))
  const before = treeOf(dir)
  writeFileSync(join(dir, 'pre-key-500.json'), '')
  writeFileSync(join(dir, 'session-49171.0.json'), '{"version":')
  writeFileSync(join(dir, 'something-else.json'), '{}')
  const events: [string, object][] = []
  const session = await openSession({ dir, log: (event, fields) => events.push([event, fields]) })
  t.equal(session.origin, 'imported')
  t.strictSame(await readAll(session.authState), expected)
  t.match(events[0], [
    'session.imported',
    { keys: Object.keys(before).length - 1, brokenByType: { 'pre-key': 1, session: 1 }, unknownFiles: 1 },
  ])
  t.notMatch(JSON.stringify(events), /49171|4915112345678|77712345/, 'no phone number is told')
  await session.close()

  const imported = readdirSync(dir).find((name) => name.startsWith('imported-')) ?? ''
  t.same(readdirSync(dir).sort(), ['creds.json', imported, 'session.ack', 'session.log', 'something-else.json'])
  t.same(readdirSync(join(dir, imported, 'broken')).sort(), ['pre-key-500.json', 'session-49171.0.json'])
  const kept = treeOf(join(dir, imported))
  for (const [name, content] of Object.entries(before))
    if (kept[name] !== content) t.fail(`${name} was not kept as it was`)
  for (const name of ['creds.json', 'session.ack', 'session.log'])
    t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
  for (const name of [dir, join(dir, imported)]) t.equal(statSync(name).mode & 0o777, 0o700)

  const again = await openSession({ dir })
  t.equal(again.origin, 'existing')
  t.strictSame(await readAll(again.authState), expected)
  await again.close()

  const target = join(sessionsPath, 'exported')
  const exported = command(sessionsPath, 'export', 'account', target)
  t.equal(exported.status, 0, exported.stderr)
  t.strictSame(treeOf(target), before, 'byte for byte what Baileys had written')
  for (const name of readdirSync(target)) t.equal(statSync(join(target, name)).mode & 0o777, 0o600, name)
  t.equal(statSync(target).mode & 0o777, 0o700)
  t.strictSame(await readAll((await useMultiFileAuthState(target)).state), expected)
  t.match(command(sessionsPath, 'export', 'account', target), { status: 64, stderr: /is not empty/ })
})

t.test('what was changed after the take-over is what is exported', async (t) => {
  const sessionsPath = t.testdir({})
  const dir = join(sessionsPath, 'account')
  await writeStock(dir)
  const session = await openSession({ dir })
  await session.authState.keys.set({
    'pre-key': { '1': null },
    'lid-mapping': { new: 'x' },
    session: { '1.0': Buffer.from([7]) },
  })
  session.authState.creds.nextPreKeyId = 900
  await session.saveCreds()
  const expected = await readAll(session.authState)
  await session.close()
  t.equal(command(sessionsPath, 'export', 'account', join(sessionsPath, 'out')).status, 0)
  const { state } = await useMultiFileAuthState(join(sessionsPath, 'out'))
  t.strictSame(await readAll(state), expected)
  t.strictSame(await state.keys.get('session', ['1.0']), { '1.0': Buffer.from([7]) })
  t.equal(existsSync(join(sessionsPath, 'out', 'pre-key-1.json')), false)
})

const REFUSED: [string, string, (dir: string) => void][] = [
  ['an empty creds.json', 'session_damaged', (dir) => writeFileSync(join(dir, 'creds.json'), '')],
  [
    'half a creds.json',
    'session_damaged',
    (dir) => writeFileSync(join(dir, 'creds.json'), readFileSync(join(dir, 'creds.json')).subarray(0, 700)),
  ],
  [
    'a creds.json that is not creds',
    'session_damaged',
    (dir) => writeFileSync(join(dir, 'creds.json'), '{"me":{"id":"1"}}'),
  ],
  [
    'a creds.json that is a directory',
    'session_damaged',
    (dir) => (rmSync(join(dir, 'creds.json')), mkdirSync(join(dir, 'creds.json'))),
  ],
  ['key files without creds.json', 'session_damaged', (dir) => rmSync(join(dir, 'creds.json'))],
  ['a key file that is a directory', 'session_damaged', (dir) => mkdirSync(join(dir, 'session-1.0.json'))],
  ['an empty session.log', 'session_damaged', (dir) => writeFileSync(join(dir, 'session.log'), '')],
  ['a session.log that is a directory', 'session_damaged', (dir) => mkdirSync(join(dir, 'session.log'))],
  ['a session.ack without its log', 'session_damaged', (dir) => writeFileSync(join(dir, 'session.ack'), 'x')],
  ['a session.log.prev without its log', 'session_damaged', (dir) => writeFileSync(join(dir, 'session.log.prev'), 'x')],
  ['an imported directory without its log', 'session_damaged', (dir) => mkdirSync(join(dir, 'imported-x'))],
]

for (const [name, code, spoil] of REFUSED) {
  t.test(`${name} is refused, and nothing is touched`, async (t) => {
    const dir = join(t.testdir({}), 'account')
    await writeStock(dir)
    spoil(dir)
    const before = treeOf(dir)
    await t.rejects(openSession({ dir }), { code })
    await t.rejects(openSession({ dir }), { code }, 'also the second time')
    t.strictSame(treeOf(dir), before)
  })
}

t.test('a log cut at the border of a record is refused by what was acknowledged', async (t) => {
  const dir = t.testdir({})
  const session = await openSession({ dir })
  await session.close()
  const short = readFileSync(join(dir, 'session.log'))
  const longer = await openSession({ dir })
  await longer.authState.keys.set({ 'lid-mapping': { a: '1' } })
  await longer.close()
  writeFileSync(join(dir, 'session.log'), short)
  await t.rejects(openSession({ dir }), { code: 'session_damaged', details: { offset: short.length, acknowledged: 2 } })
})

t.test('key files beside a log are refused, not ignored', async (t) => {
  const dir = t.testdir({})
  await (await openSession({ dir })).close()
  await writeStock(join(dir, 'other'))
  renameSync(join(dir, 'other', 'pre-key-1.json'), join(dir, 'pre-key-1.json'))
  await t.rejects(openSession({ dir }), { code: 'session_conflict' })
})

t.test('the command shows, checks, and says clearly what it can not do', async (t) => {
  const sessionsPath = t.testdir({})
  const dir = join(sessionsPath, 'account')
  await writeStock(dir)
  const lock = await lockSession({ dir, waitMs: 0 })
  await (await openSession({ dir })).close()
  const shown = command(sessionsPath, 'show', 'account')
  t.equal(shown.status, 0, shown.stderr)
  t.match(shown.stdout, /pre-key +100/)
  t.match(shown.stdout, /revision +2 \(acknowledged up to 2\)/)
  t.notMatch(shown.stdout, /4915112345678|Buffer/)
  t.match(command(sessionsPath, 'check', 'account'), { status: 0, stdout: /account is whole/ })
  t.match(command(sessionsPath, 'export', 'account', join(sessionsPath, 'out')), {
    status: 75,
    stderr: new RegExp(`process ${process.pid}.*Stop the account`),
  })
  await lock.release()
  t.match(command(sessionsPath, 'show', 'nobody'), { status: 66, stderr: /no session log/ })
  t.match(command(sessionsPath, 'export', 'nobody', join(sessionsPath, 'out')), { status: 66 })
  t.notOk(existsSync(join(sessionsPath, 'nobody')))
  t.match(command(sessionsPath, 'show', '../account'), { status: 64, stderr: /no account id/ })
  t.match(command(sessionsPath, 'burn', 'account'), { status: 64, stderr: /Usage/ })
  t.match(command(sessionsPath, 'show', 'account', '--wrong'), { status: 64, stderr: /Usage/ })
  const log = readFileSync(join(dir, 'session.log'))
  log.writeUInt8(log.readUInt8(5000) ^ 1, 5000)
  writeFileSync(join(dir, 'session.log'), log)
  const checked = command(sessionsPath, 'check', 'account')
  t.match(checked, { status: 65, stderr: /byte 40/ })
  t.notMatch(checked.stderr, /at .*\.js/, 'no stack trace')
})
