import { createHmac, randomBytes } from 'node:crypto'
import { configureSuccessfulPairing, initAuthCreds, proto, type BinaryNode } from '@whiskeysockets/baileys'
import t from 'tap'
import { isCountersigned, signDeviceIdentity } from '../../simulator/device-identity.ts'
import { isSignedBy, makeKeyPair } from '../../simulator/keys.ts'
import { bytesOf, childNamed, children, stanza } from '../../simulator/stanza.ts'

const phone = makeKeyPair()

function pair(creds = initAuthCreds()) {
  const advSecret = Buffer.from(creds.advSecretKey, 'base64')
  const identityKey = Buffer.from(creds.signedIdentityKey.public)
  const signed = signDeviceIdentity(phone, { identityKey, keyIndex: 3, advSecret })
  return { creds, advSecret, identityKey, signed }
}

function answerOf(creds: ReturnType<typeof initAuthCreds>, sealed: Buffer): Buffer {
  const success = stanza('iq', { id: '1' }, [
    stanza('pair-success', {}, [
      stanza('device-identity', {}, sealed),
      stanza('device', { jid: '40712345678:1@s.whatsapp.net', lid: '123:1@lid' }),
    ]),
  ])
  const { reply } = configureSuccessfulPairing(success, creds) as { reply: BinaryNode }
  return bytesOf(childNamed(children(reply)[0], 'device-identity')) ?? Buffer.alloc(0)
}

await t.test('Baileys accepts the identity, and its countersignature verifies', async (t) => {
  const { creds, identityKey, signed } = pair()
  const answer = answerOf(creds, signed.sealed)
  t.ok(isCountersigned(answer, signed.details, phone.publicKey, identityKey))
  t.notOk(isCountersigned(answer, signed.details, phone.publicKey, makeKeyPair().publicKey), 'of another device')
  t.notOk(isCountersigned(answer, pair().signed.details, phone.publicKey, identityKey), 'of another identity')
  t.notOk(isCountersigned(Buffer.alloc(0), signed.details, phone.publicKey, identityKey))
})

await t.test('Baileys refuses an identity under another secret', async (t) => {
  const { creds, identityKey } = pair()
  const { sealed } = signDeviceIdentity(phone, { identityKey, keyIndex: 3, advSecret: randomBytes(32) })
  t.throws(() => answerOf(creds, sealed), /Invalid account signature/)
})

await t.test("the phone's signature verifies, which Baileys does not check", async (t) => {
  const { advSecret, identityKey, signed } = pair()
  const { details = null, hmac = null } = proto.ADVSignedDeviceIdentityHMAC.decode(signed.sealed)
  const bytes = Buffer.from(details ?? [])
  t.strictSame(Buffer.from(hmac ?? []), createHmac('sha256', advSecret).update(bytes).digest())
  const identity = proto.ADVSignedDeviceIdentity.decode(bytes)
  const message = Buffer.concat([Buffer.of(6, 0), signed.details, identityKey])
  t.ok(
    isSignedBy(identity.accountSignatureKey ?? Buffer.alloc(0), message, identity.accountSignature ?? Buffer.alloc(0)),
  )
})
