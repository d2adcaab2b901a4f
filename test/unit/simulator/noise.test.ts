import { proto } from '@whiskeysockets/baileys'
import * as curve from 'libsignal/src/curve.js'
import { pino } from 'pino'
// The client's side, from where Baileys itself takes it: its root does not export it.
import { makeNoiseHandler } from '@whiskeysockets/baileys/lib/Utils/noise-handler.js'
import t from 'tap'
import { makeServerCertificate } from '../../simulator/certificate.ts'
import { CLIENT_HEADER, FrameReader } from '../../simulator/frames.ts'
import { isSignedBy, makeKeyPair, sign, withKeyType } from '../../simulator/keys.ts'
import { HandshakeError, NoiseServer } from '../../simulator/noise-server.ts'

const root = makeKeyPair()
const certificate = makeServerCertificate(root)
const payload = proto.ClientPayload.encode({ username: 40712345678, device: 3, passive: true }).finish()
const baileysKeys = (): { public: Buffer; private: Buffer } => {
  const { publicKey, privateKey } = makeKeyPair()
  return { public: publicKey, private: privateKey }
}

/** A handshake with Baileys' own client side; returns both sides, ready to talk. */
async function shakeHands(certificateChain = certificate.chain) {
  const ephemeral = baileysKeys()
  const identity = baileysKeys()
  const client = makeNoiseHandler({
    keyPair: ephemeral,
    NOISE_HEADER: CLIENT_HEADER,
    logger: pino({ level: 'silent' }),
  })
  const server = new NoiseServer()
  const reader = new FrameReader()
  const send = (bytes: Uint8Array): Buffer => reader.push(Buffer.from(client.encodeFrame(bytes)))[0] ?? Buffer.alloc(0)

  const hello = proto.HandshakeMessage.encode({ clientHello: { ephemeral: ephemeral.public } }).finish()
  const answer = server.answerHello(send(hello), certificate.staticKeys, certificateChain)
  const key = client.processHandshake(proto.HandshakeMessage.decode(answer), identity)
  const finish = { static: key, payload: client.encrypt(payload) }
  const finished = server.finish(send(proto.HandshakeMessage.encode({ clientFinish: finish }).finish()))
  await client.finishInit()
  return { client, server, identity, finished, send }
}

await t.test("shakes hands with Baileys' client side, and talks", async (t) => {
  const { client, server, identity, finished, send } = await shakeHands()
  t.strictSame(finished.clientKey, identity.public)
  t.match(finished.payload, { device: 3, passive: true })
  for (const text of ['one', 'two', '']) {
    t.equal(server.decrypt(send(Buffer.from(text))).toString(), text)
    t.equal(Buffer.from(client.decrypt(server.encrypt(Buffer.from(text)))).toString(), text)
  }
  t.throws(() => server.decrypt(Buffer.alloc(20)), HandshakeError)
})

await t.test('refuses a handshake that is none', async (t) => {
  const server = new NoiseServer()
  const { staticKeys, chain } = certificate
  t.throws(() => server.answerHello(Buffer.from('hello'), staticKeys, chain), HandshakeError)
  t.throws(() => server.answerHello(Buffer.alloc(0), staticKeys, chain), HandshakeError)
  t.throws(() => server.finish(Buffer.alloc(0)), HandshakeError)
  t.throws(() => server.encrypt(Buffer.alloc(1)), HandshakeError)
  t.throws(() => server.decrypt(Buffer.alloc(1)), HandshakeError)
})

await t.test('the certificate chain verifies from the root to the static key', async (t) => {
  // By libsignal itself: Baileys' own check accepts every signature.
  const verify = (key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
    curve.verifySignature(withKeyType(key), message, signature)
  for (const [chain, issuerSerial] of [
    [certificate.chain, 0],
    [certificate.chainOfUnknownIssuer, 4711],
  ] as const) {
    const { leaf, intermediate } = proto.CertChain.decode(chain)
    const bytes = (value: Uint8Array | null | undefined): Uint8Array => value ?? new Uint8Array()
    const issued = proto.CertChain.NoiseCertificate.Details.decode(bytes(intermediate?.details))
    const own = proto.CertChain.NoiseCertificate.Details.decode(bytes(leaf?.details))
    t.equal(issued.issuerSerial, issuerSerial)
    t.ok(verify(root.publicKey, bytes(intermediate?.details), bytes(intermediate?.signature)))
    t.ok(verify(bytes(issued.key), bytes(leaf?.details), bytes(leaf?.signature)))
    t.notOk(verify(makeKeyPair().publicKey, bytes(intermediate?.details), bytes(intermediate?.signature)))
    t.strictSame(Buffer.from(bytes(own.key)), certificate.staticKeys.publicKey)
    const nowSeconds = Date.now() / 1000
    t.ok(Number(own.notBefore) < nowSeconds && nowSeconds < Number(own.notAfter))
  }
})

await t.test('a signature is of one key, over one message', async (t) => {
  const keys = makeKeyPair()
  const message = Buffer.from('message')
  const signature = sign(keys.privateKey, message)
  t.ok(isSignedBy(keys.publicKey, message, signature))
  t.notOk(isSignedBy(makeKeyPair().publicKey, message, signature))
  t.notOk(isSignedBy(keys.publicKey, Buffer.from('another'), signature))
  t.notOk(isSignedBy(keys.publicKey, message, Buffer.alloc(64, 1)))
  t.notOk(isSignedBy(keys.publicKey, message, Buffer.alloc(3)))
})
