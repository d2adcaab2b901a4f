import type { BinaryNode } from '@whiskeysockets/baileys'
import t from 'tap'
import type { BaileysClient } from './baileys-client.ts'
import { clientFor, simulatorFor, tameBaileys, textOf } from './baileys-client.ts'

tameBaileys()

const ACCOUNT = '40712345678'
const CONTACT = '40798765432'
const CONTACT_JID = `${CONTACT}@s.whatsapp.net`

/** Notes the attributes and the kind of encryption of each message that arrives on the wire. */
function watchWire(client: BaileysClient): { attrs: BinaryNode['attrs']; encryption: string | undefined }[] {
  const seen: { attrs: BinaryNode['attrs']; encryption: string | undefined }[] = []
  client.socket.ws.on('CB:message', ({ attrs, content }: BinaryNode) => {
    const enc = Array.isArray(content) ? content.find(({ tag }) => tag === 'enc') : undefined
    seen.push({ attrs, encryption: enc?.attrs['type'] })
  })
  return seen
}

async function send(client: BaileysClient, jid: string, text: string): Promise<string> {
  const sent = await client.socket.sendMessage(jid, { text })
  return sent?.key.id ?? ''
}

await t.test('pairs by QR, logs in, exchanges text', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  const linked = await client.pair(simulator, ACCOUNT)
  t.strictSame(linked, { phone: ACCOUNT, jid: `${ACCOUNT}:1@s.whatsapp.net`, deviceId: 1 })

  const first = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'hello' })
  t.equal(textOf(await client.message(first.id)), 'hello')

  const id = await send(client, CONTACT_JID, 'hello yourself')
  await client.status(id, 3)
  t.match(simulator.sentBy(ACCOUNT), [
    { id, to: CONTACT, toSelf: false, text: 'hello yourself', copies: 1, seenByOwnPhone: true },
  ])
})

await t.test('a session begins with keys and goes on without', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const wire = watchWire(client)

  for (const text of ['one', 'two']) {
    const { id } = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text })
    await client.message(id)
  }
  await client.status(await send(client, CONTACT_JID, 'three'), 3)
  const { id } = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'four' })
  t.equal(textOf(await client.message(id)), 'four')
  const encryptions = wire.filter(({ attrs }) => attrs['category'] !== 'peer').map(({ encryption }) => encryption)
  t.strictSame(encryptions, ['pkmsg', 'pkmsg', 'msg'])
})

await t.test('names people by LID or by number', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const contactLid = (): string | undefined =>
    simulator.phones({ everybody: true }).find(({ phone }) => phone === CONTACT)?.lid

  const byLid = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'a', addressing: 'lid' })
  const { key } = await client.message(byLid.id)
  t.match(key, { remoteJid: `${contactLid()}@lid`, remoteJidAlt: CONTACT_JID, fromMe: false })
  const byNumber = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'b', addressing: 'pn' })
  t.match((await client.message(byNumber.id)).key, { remoteJid: CONTACT_JID, remoteJidAlt: `${contactLid()}@lid` })

  const answer = await send(client, key.remoteJid ?? '', 'to a LID')
  await client.status(answer, 3)
  t.match(simulator.sentBy(ACCOUNT), [{ id: answer, to: CONTACT, usesLid: true }])
})

await t.test('receipts go both ways', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)

  const { id } = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'read me' })
  const message = await client.message(id)
  const read = simulator.waitFor((event) => event.type === 'receipt.received' && event.receipt === 'read')
  await client.socket.readMessages([message.key])
  await read
  t.match(simulator.receiptsOf(id), [
    { phone: ACCOUNT, deviceId: 1, type: /^(delivered|inactive)$/ },
    { phone: ACCOUNT, deviceId: 1, type: 'read' },
  ])

  const sent = await send(client, CONTACT_JID, 'read mine')
  await client.status(sent, 3)
  simulator.markRead(ACCOUNT, sent)
  await client.status(sent, 4)
  t.throws(() => simulator.markRead(ACCOUNT, 'nothing'), { code: 'unknown_message' })
})

await t.test('what came while the client was away is waiting, in order', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  await client.stop()
  const texts = ['one', 'two', 'three', 'four']
  const ids: string[] = []
  for (const text of texts) ids.push((await simulator.sendText({ to: ACCOUNT, from: CONTACT, text })).id)
  t.equal(simulator.phones()[0]?.devices[0]?.waiting, texts.length)

  const lastReceipt = simulator.waitFor((e) => e.type === 'receipt.received' && e.messageId === ids.at(-1))
  client.forget()
  await client.connect()
  const wire = watchWire(client)
  const received = await Promise.all(ids.map((id) => client.message(id)))
  t.strictSame(received.map(textOf), texts)
  await lastReceipt
  t.match(
    wire.map(({ attrs }) => attrs),
    ids.map((id) => ({ id, offline: '0' })),
  )
  t.equal(simulator.phones()[0]?.devices[0]?.waiting, 0)
})

await t.test("what the account's own phone writes shows up as one's own", async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const { id } = await simulator.sendText({ to: CONTACT, from: ACCOUNT, text: 'typed on the phone' })
  const message = await client.message(id)
  t.equal(message.key.fromMe, true)
  t.equal(message.key.remoteJidAlt, CONTACT_JID)
  t.equal(textOf(message), 'typed on the phone')
})

await t.test('a note to oneself reaches the own phone', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const received = simulator.waitFor('message.received')
  const id = await send(client, `${ACCOUNT}@s.whatsapp.net`, 'note')
  await received
  t.match(simulator.sentBy(ACCOUNT), [{ id, to: ACCOUNT, toSelf: true, text: 'note' }])
})

await t.test('linked devices of two phones write to each other', async (t) => {
  const simulator = await simulatorFor(t)
  const [one, two] = [clientFor(t, simulator, {}, 'one'), clientFor(t, simulator, {}, 'two')]
  await one.pair(simulator, ACCOUNT)
  await two.pair(simulator, CONTACT)

  const id = await send(one, CONTACT_JID, 'from device to device')
  t.equal(textOf(await two.message(id)), 'from device to device')
  await one.status(id, 3)
  const answer = await send(two, `${ACCOUNT}@s.whatsapp.net`, 'and back')
  t.equal(textOf(await one.message(answer)), 'and back')
})

await t.test('a message that can not be read is asked for and sent again', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  simulator.inject({ kind: 'corrupt_message', phone: ACCOUNT, times: 2 })
  const start = simulator.mark()

  const { id } = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'heals' })
  t.equal(textOf(await client.message(id)), 'heals')
  await simulator.waitFor((e) => e.type === 'queue.emptied', { since: start })
  const retries = simulator.events(start).filter(({ type }) => type === 'retry.served')
  t.match(retries, [
    { messageId: id, attempt: 2 },
    { messageId: id, attempt: 3 },
  ])
  t.equal(simulator.phones()[0]?.devices[0]?.waiting, 0)
  const next = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'after' })
  t.equal(textOf(await client.message(next.id)), 'after')
})

await t.test('retries end after five attempts', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  simulator.inject({ kind: 'corrupt_message', phone: ACCOUNT, times: 'until_cleared' })
  const start = simulator.mark()
  const { id } = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'never heals' })
  await simulator.waitFor(({ type }) => type === 'retry.refused', { since: start })
  t.equal(simulator.events(start).filter(({ type }) => type === 'retry.served').length, 4)
  simulator.clearFaults()
  const next = await simulator.sendText({ to: ACCOUNT, from: CONTACT, text: 'after' })
  t.not(next.id, id)
  t.equal(textOf(await client.message(next.id)), 'after')
})

await t.test('a contact that can not read a message asks for it', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  simulator.inject({ kind: 'ask_retry', phone: ACCOUNT })
  const start = simulator.mark()
  const id = await send(client, CONTACT_JID, 'say it again')
  await simulator.waitFor('message.received', { since: start })
  await client.status(id, 3)
  t.match(
    simulator.events(start).filter(({ type }) => type.startsWith('message.')),
    [
      { type: 'message.sent' },
      { type: 'message.undecryptable' },
      { type: 'message.sent' },
      { type: 'message.received' },
    ],
  )
  t.match(simulator.sentBy(ACCOUNT), [{ id, text: 'say it again', copies: 1 }])
})

await t.test('low prekeys are asked for', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const before = simulator.phones()[0]?.devices[0]?.preKeysLeft ?? 0
  const uploaded = simulator.waitFor('prekeys.uploaded')
  for (let contact = 0; contact < before; contact++) {
    const { id } = await simulator.sendText({ to: ACCOUNT, from: `4079876500${contact}`, text: 'hi' })
    await client.message(id)
  }
  t.match(await uploaded, { phone: ACCOUNT, count: 5 })
})
