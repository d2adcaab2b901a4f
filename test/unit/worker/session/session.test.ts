import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BufferJSON, initAuthCreds, proto } from '@whiskeysockets/baileys'
import t from 'tap'
import { openSession } from '../../../../worker/session/session.ts'

t.test('a new session is durable at once and comes back as the same identity', async (t) => {
  const dir = join(t.testdir({}), 'account')
  const first = await openSession({ dir })
  t.equal(first.origin, 'new')
  t.equal(first.revision, 1)
  const noise = Buffer.from(first.authState.creds.noiseKey.public)
  await first.close()
  const second = await openSession({ dir })
  t.equal(second.origin, 'existing')
  t.same(Buffer.from(second.authState.creds.noiseKey.public), noise)
  await second.close()
  t.same(readdirSync(dir).sort(), ['creds.json', 'session.ack', 'session.log'])
  for (const name of readdirSync(dir)) t.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
  t.equal(statSync(dir).mode & 0o777, 0o700)
})

t.test('keys of every type come back as Baileys stores give them', async (t) => {
  const dir = t.testdir({})
  const session = await openSession({ dir })
  const pair = { public: Buffer.alloc(32, 1), private: Buffer.alloc(32, 2) }
  const syncKey = proto.Message.AppStateSyncKeyData.fromObject({
    keyData: Buffer.alloc(32, 3),
    timestamp: 1234,
    fingerprint: { rawId: 1, currentIndex: 2, deviceIndexes: [0, 1] },
  })
  await session.authState.keys.set({
    'pre-key': { '1': pair },
    session: { '491.0': Uint8Array.from([1, 2, 3]) },
    'sender-key': { 'g@g.us::491::0': Buffer.from('x') },
    'sender-key-memory': { 'g@g.us': { 'a@s.whatsapp.net': true } },
    'app-state-sync-key': { 'AAAA/+==': syncKey },
    'app-state-sync-version': { regular: { version: 3, hash: Buffer.alloc(128), indexValueMap: {} } },
    'lid-mapping': { '491': '77', '77_reverse': '491' },
    'device-list': { '491': ['0', '1'] },
    tctoken: { __index: { token: Buffer.from('[]') } },
    'identity-key': { '491.0': Buffer.alloc(33, 5) },
  })
  const check = async (keys: typeof session.authState.keys): Promise<void> => {
    t.same(await keys.get('pre-key', ['1', '2']), { '1': pair, '2': null })
    const { '491.0': bytes } = await keys.get('session', ['491.0'])
    t.ok(Buffer.isBuffer(bytes), 'a Uint8Array comes back as a Buffer')
    t.same(bytes, Buffer.from([1, 2, 3]))
    t.same(await keys.get('sender-key', ['g@g.us::491::0']), { 'g@g.us::491::0': Buffer.from('x') })
    t.same(await keys.get('sender-key-memory', ['g@g.us']), { 'g@g.us': { 'a@s.whatsapp.net': true } })
    const { 'AAAA/+==': key } = await keys.get('app-state-sync-key', ['AAAA/+=='])
    t.same(Buffer.from(key?.keyData ?? []), Buffer.alloc(32, 3))
    t.same(await keys.get('lid-mapping', ['491', '77_reverse']), { '491': '77', '77_reverse': '491' })
    t.same(await keys.get('device-list', ['491']), { '491': ['0', '1'] })
    t.same(await keys.get('tctoken', ['__index']), { __index: { token: Buffer.from('[]') } })
    t.same(await keys.get('identity-key', ['491.0']), { '491.0': Buffer.alloc(33, 5) })
  }
  await check(session.authState.keys)
  await session.close()
  const again = await openSession({ dir })
  await check(again.authState.keys)
  await again.close()
})

t.test('reads see what is not yet durable, and a later batch wins', async (t) => {
  const session = await openSession({ dir: t.testdir({}) })
  const { keys } = session.authState
  const first = keys.set({ 'lid-mapping': { a: '1' } })
  t.same(await keys.get('lid-mapping', ['a']), { a: '1' })
  const second = keys.set({ 'lid-mapping': { a: '2' } })
  const third = keys.set({ 'lid-mapping': { a: null } })
  t.same(await keys.get('lid-mapping', ['a']), { a: null })
  await Promise.all([first, second, third])
  t.same(await keys.get('lid-mapping', ['a']), { a: null })
  await session.close()
})

t.test('a deleted key does not come back, with or without a compaction', async (t) => {
  const dir = t.testdir({})
  const session = await openSession({ dir, compaction: { factor: 0, slackBytes: 5000 } })
  const { keys } = session.authState
  await keys.set({ 'pre-key': { '1': { public: Buffer.alloc(32), private: Buffer.alloc(32) } } })
  await keys.set({ 'pre-key': { '1': null } })
  for (let at = 0; at < 100; at++) await keys.set({ 'lid-mapping': { same: 'x'.repeat(at) } })
  await session.close()
  t.ok(readdirSync(dir).includes('session.log.prev'), 'it was compacted, and the log before is kept')
  const again = await openSession({ dir })
  t.same(await again.authState.keys.get('pre-key', ['1']), { '1': null })
  t.same(await again.authState.keys.get('lid-mapping', ['same']), { same: 'x'.repeat(99) })
  await again.close()
})

t.test('creds: stored as they are at the call, creds.json follows', async (t) => {
  const dir = t.testdir({})
  const session = await openSession({ dir })
  const { creds } = session.authState
  creds.me = { id: '491234:1@s.whatsapp.net' }
  const saved = session.saveCreds()
  creds.platform = 'later'
  await saved
  await session.flush()
  const file: unknown = JSON.parse(readFileSync(join(dir, 'creds.json'), 'utf8'), BufferJSON.reviver)
  t.match(file, { me: { id: '491234:1@s.whatsapp.net' } })
  t.notMatch(file, { platform: 'later' })
  const revision = session.revision
  await session.saveCreds()
  t.equal(session.revision, revision + 1)
  await session.saveCreds()
  t.equal(session.revision, revision + 1, 'unchanged creds are not written again')
  await session.close()
  await session.close()
  t.rejects(session.saveCreds(), { code: 'session_closed' })
})

t.test('creds.json missing, older or broken is written anew from the log', async (t) => {
  const dir = t.testdir({})
  const session = await openSession({ dir })
  await session.close()
  const good = readFileSync(join(dir, 'creds.json'))
  for (const bad of ['', '{"noiseKey":', '[]', good.toString().replace('"registered":false', '"registered":true')]) {
    writeFileSync(join(dir, 'creds.json'), bad)
    const again = await openSession({ dir })
    await again.close()
    t.same(readFileSync(join(dir, 'creds.json')), good)
  }
})

t.test('creds.json of another identity beside a log is refused and kept', async (t) => {
  const dir = t.testdir({})
  await (await openSession({ dir })).close()
  const other = JSON.stringify(initAuthCreds(), BufferJSON.replacer)
  writeFileSync(join(dir, 'creds.json'), other)
  await t.rejects(openSession({ dir }), { code: 'session_conflict' })
  t.equal(readFileSync(join(dir, 'creds.json'), 'utf8'), other)
})

t.test('the snapshot opens as the same session', async (t) => {
  const dir = t.testdir({ copy: {} })
  const session = await openSession({ dir: join(dir, 'account') })
  await session.authState.keys.set({ 'lid-mapping': { a: '1', b: '2' } })
  await session.authState.keys.set({ 'lid-mapping': { a: null } })
  const { bytes, revision } = await session.snapshot()
  t.equal(revision, session.revision)
  writeFileSync(join(dir, 'copy', 'session.log'), bytes)
  const copy = await openSession({ dir: join(dir, 'copy') })
  t.same(await copy.authState.keys.get('lid-mapping', ['a', 'b']), { a: null, b: '2' })
  t.same(copy.authState.creds, session.authState.creds)
  await copy.close()
  await session.close()
})
