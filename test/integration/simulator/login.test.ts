import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startSimulator } from '../../simulator/simulator.ts'
import { BaileysClient, clientFor, directoryOf, simulatorFor, tameBaileys, textOf } from './baileys-client.ts'

tameBaileys()

const ACCOUNT = '40712345678'
const CONTACT = '40798765432'
const CONTACT_JID = `${CONTACT}@s.whatsapp.net`

await t.test('a first login gets the history once, a later one does not', async (t) => {
  const simulator = await simulatorFor(t, { history: { chats: 3, messagesPerChat: 4 } })
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const history = await client.wait('history', ({ event, data }) =>
    event === 'messaging-history.set' ? data : undefined,
  )
  t.equal(history.chats.length, 3)
  t.equal(history.messages.length, 12)
  t.ok(client.socket.authState.creds.myAppStateKeyId)
  t.equal(client.socket.authState.creds.accountSyncCounter, 1)

  await client.stop()
  await client.reconnect()
  t.equal(simulator.phones()[0]?.devices[0]?.waiting, 0)
  const kinds = simulator.attempts().map(({ outcome, phone }) => `${outcome} ${phone ?? '-'}`)
  t.strictSame(kinds, ['registration -', `login ${ACCOUNT}`, `login ${ACCOUNT}`])
})

await t.test('a second login with the same creds replaces the first', async (t) => {
  const simulator = await simulatorFor(t)
  const first = clientFor(t, simulator)
  await first.pair(simulator, ACCOUNT)
  const second = new BaileysClient(simulator.url, first.directory)
  t.teardown(() => second.stop())
  const replaced = first.closed()
  await second.reconnect()
  t.equal(await replaced, 440)
  t.match(
    simulator.connections().filter(({ state }) => state === 'online'),
    [{ phone: ACCOUNT, deviceId: 1 }],
  )
})

await t.test('a frozen connection gives way to a new login', async (t) => {
  const simulator = await simulatorFor(t)
  const first = clientFor(t, simulator)
  await first.pair(simulator, ACCOUNT)
  simulator.inject({ kind: 'freeze', phone: ACCOUNT })
  const second = new BaileysClient(simulator.url, first.directory)
  t.teardown(() => second.stop())
  await second.reconnect()
  t.equal(await first.closed(), 428)
  t.equal(simulator.connections().length, 1)
})

await t.test('a device that its phone removed is out, now and later', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const closed = client.closed()
  await simulator.unlink(ACCOUNT)
  t.equal(await closed, 401)
  client.forget()
  await client.connect()
  t.equal(await client.closed(), 401)
  t.strictSame(simulator.phones(), [])
  await t.rejects(simulator.unlink(ACCOUNT), { code: 'not_linked' })
  await t.rejects(simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'x' }), { code: 'not_linked' })
})

await t.test('a client that logs out is unlinked', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const unlinked = simulator.waitFor('device.unlinked')
  await client.socket.logout()
  t.match(await unlinked, { phone: ACCOUNT, by: 'device' })
  t.equal(await client.closed(), 401)
})

await t.test('reports the prekey count that it was told to', async (t) => {
  for (const [reportedPreKeys, uploads] of [
    [0, 812],
    [20, 0],
    ['real', 812],
  ] as const) {
    const simulator = await simulatorFor(t, { reportedPreKeys })
    const client = clientFor(t, simulator, {}, String(reportedPreKeys))
    await client.pair(simulator, ACCOUNT)
    const left = simulator.phones()[0]?.devices[0]?.preKeysLeft ?? 0
    // The phone itself took one, to send the history.
    t.equal(left, Math.max(uploads - 1, 0), `${reportedPreKeys}`)
  }
})

await t.test('survives a restart with its state', async (t) => {
  const statePath = join(directoryOf(t), 'state.json')
  const first = await startSimulator({ statePath })
  t.teardown(() => first.close())
  const client = new BaileysClient(first.url, join(directoryOf(t), 'session'))
  t.teardown(() => client.stop())
  await client.pair(first, ACCOUNT)
  const sent = await client.socket.sendMessage(CONTACT_JID, { text: 'before' })
  await client.status(sent?.key.id ?? '', 3)
  const before = await first.sendText({ to: ACCOUNT, from: CONTACT, text: 'before' })
  await client.message(before.id)
  await client.stop()
  const waiting = await first.sendText({ to: ACCOUNT, from: CONTACT, text: 'while away' })
  await first.close()

  const second = await simulatorFor(t, { statePath, port: first.port })
  t.equal(second.noiseRootKey, first.noiseRootKey)
  await client.reconnect()
  t.equal(textOf(await client.message(waiting.id)), 'while away')
  const after = await second.sendText({ to: ACCOUNT, from: CONTACT, text: 'after' })
  t.equal(textOf(await client.message(after.id)), 'after')
  const answer = await client.socket.sendMessage(CONTACT_JID, { text: 'after too' })
  await client.status(answer?.key.id ?? '', 3)
  t.match(second.sentBy(ACCOUNT), [{ text: 'after too', encryption: 'msg' }])
})

await t.test('an old state, as after a crash, does not cost messages', async (t) => {
  const statePath = join(directoryOf(t), 'state.json')
  const first = await startSimulator({ statePath })
  t.teardown(() => first.close())
  const client = new BaileysClient(first.url, join(directoryOf(t), 'session'))
  t.teardown(() => client.stop())
  await client.pair(first, ACCOUNT)
  const one = await first.sendText({ to: ACCOUNT, from: CONTACT, text: 'one' })
  await client.message(one.id)
  await client.status((await client.socket.sendMessage(CONTACT_JID, { text: 'x' }))?.key.id ?? '', 3)
  await first.close()
  const old = await readFile(statePath, 'utf8')

  const second = await startSimulator({ statePath, port: first.port })
  t.teardown(() => second.close())
  await client.reconnect()
  for (const text of ['two', 'three']) {
    const { id } = await second.sendText({ to: ACCOUNT, from: CONTACT, text })
    await client.message(id)
  }
  await client.stop()
  await second.close()

  await writeFile(statePath, old.replace('"complete":true', '"complete":false'))
  const third = await simulatorFor(t, { statePath, port: first.port })
  await client.reconnect()
  const { id } = await third.sendText({ to: ACCOUNT, from: CONTACT, text: 'four' })
  t.equal(textOf(await client.message(id)), 'four')
  const answer = await client.socket.sendMessage(CONTACT_JID, { text: 'still here' })
  await client.status(answer?.key.id ?? '', 3)
})

await t.test('refuses to start on what is no state, or on a port that is taken', async (t) => {
  const statePath = join(directoryOf(t), 'state.json')
  await writeFile(statePath, '{"half":')
  await t.rejects(startSimulator({ statePath }), { code: 'cannot_start', message: /no JSON/ })
  await writeFile(statePath, '{"format":"other"}')
  await t.rejects(startSimulator({ statePath }), { code: 'cannot_start', message: /no state file/ })
  t.equal(await readFile(statePath, 'utf8'), '{"format":"other"}')
  const { port } = await simulatorFor(t)
  await t.rejects(startSimulator({ port }), { code: 'cannot_start', message: new RegExp(`:${port} .*EADDRINUSE`) })
  await t.rejects(startSimulator({ port: 70_000 }), { code: 'bad_request', message: /port is 70000/ })
})
