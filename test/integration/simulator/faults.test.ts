import t from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import { clientFor, simulatorFor, tameBaileys } from './baileys-client.ts'

tameBaileys()

const PHONE = '40712345678'
const OTHER_PHONE = '40712345679'
const CONTACT = '40798765432'
const CONTACT_JID = `${CONTACT}@s.whatsapp.net`
const IMPATIENT = { connectTimeoutMs: 4_000, defaultQueryTimeoutMs: 4_000 }

/** Strikes an online client: the fault, and the status code with which Baileys closes. */
const WHILE_ONLINE: readonly [Fault, number][] = [
  [{ kind: 'drop' }, 428],
  [{ kind: 'close', code: 1000 }, 428],
  [{ kind: 'close', code: 1011 }, 428],
  [{ kind: 'stream_end' }, 428],
  [{ kind: 'downgrade' }, 411],
  [{ kind: 'stream_error', conflict: 'replaced' }, 440],
  [{ kind: 'stream_error', conflict: 'device_removed', code: 401 }, 401],
  [{ kind: 'stream_error', conflict: 'device_removed' }, 440],
  ...[403, 429, 500, 503, 515, 516, 540].map((code): [Fault, number] => [{ kind: 'stream_error', code }, code]),
  [{ kind: 'stream_error' }, 500],
  [{ kind: 'stream_error', child: 'ack' }, 500],
  [{ kind: 'stream_error', child: 'xml-not-well-formed' }, 500],
]

/** Strikes a client that logs in. */
const AT_LOGIN: readonly [Fault, number][] = [
  ...[400, 401, 402, 403, 405, 406, 409, 411, 415, 418, 429, 463, 500, 501, 503, 515].map((reason): [Fault, number] => [
    { kind: 'fail_login', reason },
    reason,
  ]),
  [{ kind: 'drop', during: 'login' }, 428],
  [{ kind: 'stream_error', code: 503, during: 'login' }, 503],
]

/** Strikes whoever connects, before it is known who. */
const BEFORE_LOGIN: readonly [Fault, number][] = [
  [{ kind: 'never_upgrade' }, 408],
  [{ kind: 'no_server_hello' }, 408],
  [{ kind: 'delay_handshake', delayMs: 6_000 }, 408],
  [{ kind: 'bad_certificate' }, 400],
]

const describe = (fault: Fault): string => JSON.stringify(fault)

await t.test('faults of an online connection', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  for (const [fault, status] of WHILE_ONLINE) {
    const handle = simulator.inject(fault)
    t.equal(await client.closed(), status, describe(fault))
    t.equal(handle.hits, 1)
    await client.reconnect()
  }
})

await t.test('faults of a login', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  await client.stop()
  for (const [fault, status] of AT_LOGIN) {
    simulator.inject(fault)
    client.forget()
    await client.connect()
    t.equal(await client.closed(), status, describe(fault))
  }
  await client.reconnect()
  t.strictSame(simulator.faults(), [])
})

await t.test('a failed login hands its attributes on', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  await client.stop()
  simulator.inject({ kind: 'fail_login', reason: 402, attrs: { code: '101', expire: '3600' } })
  client.forget()
  await client.connect()
  const data = await client.wait('close', ({ event, data }) => {
    const error: unknown = event === 'connection.update' ? data.lastDisconnect?.error : undefined
    return typeof error === 'object' && error && 'data' in error ? error.data : undefined
  })
  t.strictSame(data, { reason: '402', code: '101', expire: '3600' })
})

await t.test('faults before anybody knows who connects', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator, IMPATIENT)
  await client.pair(simulator, PHONE)
  for (const [fault, status] of BEFORE_LOGIN) {
    await client.stop()
    client.forget()
    simulator.inject(fault)
    await client.connect()
    t.equal(await client.closed(), status, describe(fault))
    await client.reconnect()
  }
  await client.stop()
  client.forget()
  const slow = simulator.inject({ kind: 'delay_handshake', delayMs: 200 })
  await client.reconnect()
  t.equal(slow.hits, 1, 'a handshake that is only slow opens')
})

await t.test('an upgrade that is refused is an attempt that leads nowhere', async (t) => {
  const simulator = await simulatorFor(t)
  for (const status of [403, 429, 503]) {
    const client = clientFor(t, simulator, {}, String(status))
    simulator.inject({ kind: 'refuse_upgrade', status })
    const refused = simulator.waitFor('connection.refused')
    await client.connect()
    t.match(await refused, { status })
    // No close event ever comes: a program needs a watchdog of its own, this is what it does then.
    void client.socket.end(new Error('watchdog'))
    await client.closed()
  }
  t.match(simulator.attempts(), [
    { outcome: 'upgrade_refused' },
    { outcome: 'upgrade_refused' },
    { outcome: 'upgrade_refused' },
  ])
})

await t.test('stops listening, and listens again on the same port', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  await simulator.stopListening()
  t.equal(simulator.connections().length, 1, 'live connections stay')
  t.equal(simulator.dropAll(), 1)
  t.equal(await client.closed(), 428)
  client.forget()
  await client.connect()
  t.equal(await client.closed(), 408)
  await simulator.listen()
  await client.reconnect()
})

await t.test('strikes a registration', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  simulator.inject({ kind: 'drop', during: 'registering' })
  await client.connect()
  t.equal(await client.closed(), 428)
  client.forget()
  await client.connect()
  await client.qr()
  simulator.inject({ kind: 'stream_error', code: 503, during: 'registering' })
  t.equal(await client.closed(), 503)
})

await t.test('strikes as often as asked, and only whom it should', async (t) => {
  const simulator = await simulatorFor(t)
  const [one, other] = [clientFor(t, simulator, {}, 'one'), clientFor(t, simulator, {}, 'other')]
  await one.pair(simulator, PHONE)
  await other.pair(simulator, OTHER_PHONE)
  const handle = simulator.inject({ kind: 'drop', phone: PHONE, times: 3 })
  for (let hit = 1; hit <= 3; hit++) {
    t.equal(await one.closed(), 428)
    t.equal(handle.hits, hit)
    one.forget()
    await one.connect()
  }
  await one.opened()
  const lasting = simulator.inject({ kind: 'drop', phone: PHONE, times: 'until_cleared' })
  t.equal(await one.closed(), 428)
  lasting.clear()
  await one.reconnect()
  t.equal(
    simulator.connections().some(({ phone }) => phone === OTHER_PHONE),
    true,
  )
})

await t.test('messages are refused, or never acknowledged', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  simulator.inject({ kind: 'refuse_messages', code: 463, phone: PHONE })
  const refused = await client.socket.sendMessage(CONTACT_JID, { text: 'no' })
  await client.status(refused?.key.id ?? '', 0)
  simulator.inject({ kind: 'withhold_message_acks', phone: PHONE })
  const struck = simulator.waitFor('fault.hit')
  await client.socket.sendMessage(CONTACT_JID, { text: 'into the void' })
  await struck
  const sent = await client.socket.sendMessage(CONTACT_JID, { text: 'yes' })
  await client.status(sent?.key.id ?? '', 3)
  t.strictSame(
    simulator.sentBy(PHONE).map(({ text }) => text),
    ['yes'],
  )
})

await t.test('a receipt that is forgotten: the message comes again, and can not be read twice', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  const first = simulator.waitFor('queue.emptied', { phone: PHONE })
  await simulator.sendText({ to: PHONE, from: CONTACT, text: 'first' })
  await first
  const handle = simulator.inject({ kind: 'forget_receipt', phone: PHONE })
  const received = simulator.waitFor('receipt.received', { phone: PHONE })
  const { id } = await simulator.sendText({ to: PHONE, from: CONTACT, text: 'again' })
  t.match(await received, { messageId: id })
  t.equal(handle.hits, 1)
  const refused = simulator.waitFor('nack.received', { phone: PHONE })
  simulator.dropAll(PHONE)
  await client.closed()
  await client.reconnect()
  t.match(await refused, { messageId: id, code: 487 })
})

await t.test('a device lookup that is never answered loses the message, and the service says so', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator, IMPATIENT)
  await client.pair(simulator, PHONE)
  simulator.inject({ kind: 'ignore_usync', times: 'until_cleared' })
  const refused = simulator.waitFor('message.refused')
  const sent = await client.socket.sendMessage(CONTACT_JID, { text: 'nobody gets this' })
  t.match(await refused, { messageId: sent?.key.id, code: 479 })
  await client.status(sent?.key.id ?? '', 0)
})

await t.test('refuses faults that make no sense', async (t) => {
  const simulator = await simulatorFor(t)
  const wrong: readonly [unknown, RegExp][] = [
    [{ kind: 'explode' }, /unknown fault kind "explode"/],
    [undefined, /unknown fault kind/],
    [{ kind: 'refuse_upgrade' }, /refuse_upgrade.*status/],
    [{ kind: 'refuse_upgrade', status: 503, phone: PHONE }, /has no "phone"/],
    [{ kind: 'drop', times: 0 }, /times/],
    [{ kind: 'drop', phone: '+40' }, /phone/],
    [{ kind: 'drop', during: 'lunch' }, /during/],
  ]
  for (const [fault, message] of wrong)
    t.throws(() => simulator.inject(fault as Fault), { code: 'bad_request', message })
  t.strictSame(simulator.faults(), [])
})

await t.test('waits that end in vain say what they saw', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.pair(simulator, PHONE)
  await t.rejects(simulator.waitFor('device.unlinked', { timeoutMs: 20, since: 0 }), {
    code: 'wait_timeout',
    message: /device\.online/,
  })
  const pending = t.rejects(simulator.waitFor('device.unlinked'), { code: 'closed' })
  await simulator.close()
  await pending
  await t.resolves(simulator.close())
})
