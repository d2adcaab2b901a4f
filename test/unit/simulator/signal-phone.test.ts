import t from 'tap'
import { Directory } from '../../simulator/directory.ts'
import { isSignedBy, withKeyType } from '../../simulator/keys.ts'
import { withBrokenMac } from '../../simulator/messages.ts'
import type { Phone } from '../../simulator/phone.ts'
import { SignalPhone } from '../../simulator/signal-phone.ts'

interface Side {
  readonly phone: Phone
  readonly signal: SignalPhone
}

const makeSide = (number: string): Side => {
  const phone = new Directory().get(number)
  return { phone, signal: new SignalPhone(phone, () => undefined) }
}
const [A, B] = ['1.0', '2.0']
const text = (value: string): Buffer => Buffer.from(value)

await t.test('two phones talk: with keys first, without once answered', async (t) => {
  const [a, b] = [makeSide('40711111111'), makeSide('40722222222')]
  t.notOk(a.signal.hasSession(B))
  await a.signal.startSession(B, b.signal.makeBundle())
  t.ok(a.signal.hasSession(B))
  for (const word of ['one', 'two']) {
    const sealed = await a.signal.encrypt(B, text(word))
    t.equal(sealed.type, 'pkmsg')
    t.equal((await b.signal.decrypt(A, sealed)).toString(), word)
  }
  const answer = await b.signal.encrypt(A, text('three'))
  t.equal(answer.type, 'msg')
  t.equal((await a.signal.decrypt(B, answer)).toString(), 'three')
  t.equal((await a.signal.encrypt(B, text('four'))).type, 'msg')
})

await t.test('works with no one-time key left, and uses each only once', async (t) => {
  const [a, b] = [makeSide('40711111111'), makeSide('40722222222')]
  const bundle = b.signal.makeBundle()
  await a.signal.startSession(B, { ...bundle, preKey: undefined })
  await b.signal.decrypt(A, await a.signal.encrypt(B, text('x')))
  t.equal(b.phone.signal?.preKeys.length, 1)
  await a.signal.startSession(B, bundle)
  await b.signal.decrypt(A, await a.signal.encrypt(B, text('y')))
  t.equal(b.phone.signal?.preKeys.length, 0)
  t.ok(isSignedBy(bundle.identityKey, withKeyType(bundle.signedPreKey.key), bundle.signedPreKey.signature))
})

await t.test('takes new sessions at any time, and still reads the old ones', async (t) => {
  const [a, b] = [makeSide('40711111111'), makeSide('40722222222')]
  await a.signal.startSession(B, b.signal.makeBundle())
  const late = await a.signal.encrypt(B, text('late'))
  for (let round = 0; round < 60; round++) {
    await a.signal.startSession(B, b.signal.makeBundle())
    const sealed = await a.signal.encrypt(B, text(`round ${round}`))
    t.equal((await b.signal.decrypt(A, sealed)).toString(), `round ${round}`)
  }
  t.equal((await b.signal.decrypt(A, late)).toString(), 'late')
  const sessions = Object.keys(a.phone.signal?.sessions[B]?._sessions ?? {})
  t.ok(sessions.length < 40, 'libsignal prints the keys of what it drops at 40')
})

await t.test('a failed decryption changes nothing', async (t) => {
  const [a, b] = [makeSide('40711111111'), makeSide('40722222222')]
  await a.signal.startSession(B, b.signal.makeBundle())
  const sealed = await a.signal.encrypt(B, text('x'))
  const before = JSON.stringify(b.phone)
  await t.rejects(b.signal.decrypt(A, withBrokenMac(sealed)), /Bad MAC/)
  await t.rejects(b.signal.decrypt(A, { type: 'msg', body: Buffer.from('nonsense') }), /No session record/)
  await t.rejects(b.signal.decrypt(A, { type: 'pkmsg', body: Buffer.from('nonsense') }))
  t.equal(JSON.stringify(b.phone), before)
  t.equal((await b.signal.decrypt(A, sealed)).toString(), 'x')
  await t.rejects(b.signal.decrypt(A, sealed), 'the same message twice')
})

await t.test('prints nothing: libsignal would print private keys', async (t) => {
  const printed: unknown[][] = []
  const original = { ...console }
  for (const level of ['log', 'info', 'warn', 'error'] as const) console[level] = (...args) => void printed.push(args)
  t.teardown(() => Object.assign(console, original))
  const [a, b] = [makeSide('40711111111'), makeSide('40722222222')]
  for (let round = 0; round < 50; round++) {
    await a.signal.startSession(B, b.signal.makeBundle())
    await b.signal.decrypt(A, await a.signal.encrypt(B, text('x')))
    await a.signal.decrypt(B, await b.signal.encrypt(A, text('y')))
  }
  t.strictSame(printed, [])
})
