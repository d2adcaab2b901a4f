import t from 'tap'
import { clientFor, simulatorFor, tameBaileys } from './baileys-client.ts'

tameBaileys()

const ACCOUNT = '40712345678'
const CODE = 'ABCD1234'

await t.test('picks a number when none is given, and links several devices to one', async (t) => {
  const simulator = await simulatorFor(t)
  const [one, two] = [clientFor(t, simulator, {}, 'one'), clientFor(t, simulator, {}, 'two')]
  const linked = await one.pair(simulator)
  t.match(linked.phone, /^999\d+$/)
  t.match(await two.pair(simulator, linked.phone), { jid: `${linked.phone}:2@s.whatsapp.net`, deviceId: 2 })
  t.match(simulator.phones(), [{ phone: linked.phone, devices: [{ online: true }, { online: true, keyIndex: 2 }] }])
})

await t.test('any of the QRs may be scanned, and each only once', async (t) => {
  // Baileys goes on to the next one while it is being linked, and ends when there is none.
  const simulator = await simulatorFor(t, { qrRefs: 1000 })
  const client = clientFor(t, simulator, { qrTimeout: 100 })
  await client.connect()
  const first = await client.qr()
  client.forget()
  const second = await client.qr()
  t.not(second, first)
  await simulator.scanQr(first, ACCOUNT)
  t.equal(await client.closed(), 515)
  await t.rejects(simulator.scanQr(second, ACCOUNT), { code: 'unknown_qr' })
})

await t.test('QRs run out', async (t) => {
  const simulator = await simulatorFor(t, { qrRefs: 2 })
  const client = clientFor(t, simulator, { qrTimeout: 50 })
  await client.connect()
  t.equal(await client.closed(), 408)
})

await t.test('refuses what is no QR, or whose keys are not those of the client', async (t) => {
  const simulator = await simulatorFor(t)
  const [one, two] = [clientFor(t, simulator, {}, 'one'), clientFor(t, simulator, {}, 'two')]
  await Promise.all([one.connect(), two.connect()])
  const [ref] = (await one.qr()).split(',')
  const [, ...keys] = (await two.qr()).split(',')
  await t.rejects(simulator.scanQr('hello'), { code: 'bad_request' })
  await t.rejects(simulator.scanQr([ref, ...keys].join(',')), { code: 'pairing_failed', message: /keys in the QR/ })
  await t.rejects(simulator.scanQr(await one.qr(), 'abc'), { code: 'bad_request', message: /"abc"/ })
})

await t.test('a client that goes away while it is linked fails the scan', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.connect()
  simulator.inject({ kind: 'wrong_pair_hmac', phone: ACCOUNT })
  await t.rejects(simulator.scanQr(await client.qr(), ACCOUNT), { code: 'pairing_failed' })
  t.equal(await client.closed(), 500)
  t.strictSame(simulator.phones(), [])
  client.forget()
  await client.pair(simulator, ACCOUNT)
})

await t.test('pairs by code, after a wrong one', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.connect()
  await client.qr()
  await t.rejects(simulator.enterPairingCode(ACCOUNT, CODE), { code: 'no_pairing_request' })
  const requested = simulator.waitFor('pairing_code.requested', { phone: ACCOUNT })
  t.equal(await client.socket.requestPairingCode(ACCOUNT, CODE), CODE)
  await requested
  await t.rejects(simulator.enterPairingCode(ACCOUNT, 'WRONG123'), { code: 'wrong_pairing_code' })
  t.match(await simulator.enterPairingCode(ACCOUNT, 'abcd-1234'), { phone: ACCOUNT, deviceId: 1 })
  t.equal(await client.closed(), 515)
  await client.reconnect()
  t.match(simulator.connections(), [{ phone: ACCOUNT, state: 'online' }])
})

await t.test('a code that is typed for a client that goes away fails', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  await client.connect()
  await client.qr()
  const requested = simulator.waitFor('pairing_code.requested')
  await client.socket.requestPairingCode(ACCOUNT, CODE)
  await requested
  simulator.inject({ kind: 'silence', during: 'registering' })
  const entered = t.rejects(simulator.enterPairingCode(ACCOUNT, CODE), { code: 'pairing_failed' })
  simulator.dropAll()
  await entered
})

await t.test('tells who is on WhatsApp', async (t) => {
  const simulator = await simulatorFor(t, { notOnWhatsApp: ['40700000000'] })
  const client = clientFor(t, simulator)
  await client.pair(simulator, ACCOUNT)
  const found = await client.socket.onWhatsApp('40700000000', '40700000001')
  t.strictSame(found, [{ jid: '40700000001@s.whatsapp.net', exists: true }])
})
