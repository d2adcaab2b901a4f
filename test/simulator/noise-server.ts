import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { proto } from '@whiskeysockets/baileys'
import { CLIENT_HEADER } from './frames.ts'
import { makeKeyPair, sharedSecret, type KeyPair } from './keys.ts'

/** The 32 bytes are the initial hash, chaining key and cipher key as they are. */
const PROTOCOL_NAME = Buffer.from('Noise_XX_25519_AESGCM_SHA256\0\0\0\0', 'latin1')
const TAG_BYTES = 16
const NOTHING = Buffer.alloc(0)

/** The client sent something that is no handshake message, or that does not decrypt. */
export class HandshakeError extends Error {
  override name = 'HandshakeError'
}

export interface ClientFinish {
  /** The client's long-lived Noise key: it identifies the device at every later login. */
  readonly clientKey: Buffer
  readonly payload: proto.ClientPayload
}

/**
 * The responder of WhatsApp's Noise XX handshake, then the cipher of the connection.
 * States: fresh -> `answerHello` -> helloed -> `finish` -> transport (`encrypt`, `decrypt`). A call out of order throws.
 */
export class NoiseServer {
  #hash: Buffer = PROTOCOL_NAME
  #chainingKey: Buffer = PROTOCOL_NAME
  #key: Buffer = PROTOCOL_NAME
  #counter = 0
  #ephemeral: KeyPair | undefined
  #transport: { readonly send: TransportKey; readonly receive: TransportKey } | undefined

  constructor(header: Buffer = CLIENT_HEADER) {
    this.#mixHash(header)
  }

  /** Takes the client's hello, returns the server hello to frame and send. */
  answerHello(frame: Buffer, staticKeys: KeyPair, certificateChain: Buffer): Buffer {
    const clientEphemeral = decodeHandshake(frame).clientHello?.ephemeral
    if (clientEphemeral?.length !== 32)
      throw new HandshakeError('the first frame holds no client hello with a 32-byte key')
    const ephemeral = makeKeyPair()
    this.#ephemeral = ephemeral
    this.#mixHash(clientEphemeral)
    this.#mixHash(ephemeral.publicKey)
    this.#mixKey(sharedSecret(ephemeral.privateKey, clientEphemeral))
    const encryptedStatic = this.#seal(staticKeys.publicKey)
    this.#mixKey(sharedSecret(staticKeys.privateKey, clientEphemeral))
    const payload = this.#seal(certificateChain)
    return Buffer.from(
      proto.HandshakeMessage.encode({
        serverHello: { ephemeral: ephemeral.publicKey, static: encryptedStatic, payload },
      }).finish(),
    )
  }

  /** Takes the client's finish; from here on frames go through `encrypt` and `decrypt`. */
  finish(frame: Buffer): ClientFinish {
    const message = decodeHandshake(frame).clientFinish
    if (!this.#ephemeral || !message?.static || !message.payload) {
      throw new HandshakeError('the second frame holds no client finish with a key and a payload')
    }
    const clientKey = this.#open(message.static)
    this.#mixKey(sharedSecret(this.#ephemeral.privateKey, clientKey))
    const payload = proto.ClientPayload.decode(this.#open(message.payload))
    const [receive, send] = hkdfPair(NOTHING, this.#chainingKey)
    this.#transport = { receive: new TransportKey(receive), send: new TransportKey(send) }
    return { clientKey, payload }
  }

  encrypt(plaintext: Uint8Array): Buffer {
    if (!this.#transport) throw new HandshakeError('nothing is encrypted before the handshake ends')
    return sealWith(this.#transport.send.key, this.#transport.send.nextIv(), plaintext, NOTHING)
  }

  /** Throws when the frame is not the next one of this client. */
  decrypt(ciphertext: Buffer): Buffer {
    if (!this.#transport) throw new HandshakeError('nothing is decrypted before the handshake ends')
    return openWith(this.#transport.receive.key, this.#transport.receive.nextIv(), ciphertext, NOTHING)
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = createHash('sha256').update(this.#hash).update(data).digest()
  }

  #mixKey(secret: Buffer): void {
    const [chainingKey, key] = hkdfPair(secret, this.#chainingKey)
    this.#chainingKey = chainingKey
    this.#key = key
    this.#counter = 0
  }

  #seal(plaintext: Uint8Array): Buffer {
    const ciphertext = sealWith(this.#key, counterIv(this.#counter++), plaintext, this.#hash)
    this.#mixHash(ciphertext)
    return ciphertext
  }

  #open(ciphertext: Uint8Array): Buffer {
    const plaintext = openWith(this.#key, counterIv(this.#counter++), Buffer.from(ciphertext), this.#hash)
    this.#mixHash(ciphertext)
    return plaintext
  }
}

class TransportKey {
  readonly key: Buffer
  #counter = 0

  constructor(key: Buffer) {
    this.key = key
  }

  nextIv(): Buffer {
    return counterIv(this.#counter++)
  }
}

function decodeHandshake(frame: Buffer): proto.HandshakeMessage {
  try {
    return proto.HandshakeMessage.decode(frame)
  } catch (cause) {
    throw new HandshakeError(`a handshake frame of ${frame.length} bytes does not decode`, { cause })
  }
}

/** HKDF-SHA256 to 64 bytes, in two halves. */
function hkdfPair(secret: Buffer, salt: Buffer): [Buffer, Buffer] {
  const bytes = Buffer.from(hkdfSync('sha256', secret, salt, NOTHING, 64))
  return [bytes.subarray(0, 32), bytes.subarray(32)]
}

/** 12 bytes: eight zero bytes, then the counter, big endian. */
function counterIv(counter: number): Buffer {
  const iv = Buffer.alloc(12)
  iv.writeUInt32BE(counter, 8)
  return iv
}

function sealWith(key: Buffer, iv: Buffer, plaintext: Uint8Array, associatedData: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(associatedData)
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

function openWith(key: Buffer, iv: Buffer, ciphertext: Buffer, associatedData: Buffer): Buffer {
  const tagStart = ciphertext.length - TAG_BYTES
  if (tagStart < 0) throw new HandshakeError(`${ciphertext.length} bytes are too few for a sealed message`)
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(associatedData)
    decipher.setAuthTag(ciphertext.subarray(tagStart))
    return Buffer.concat([decipher.update(ciphertext.subarray(0, tagStart)), decipher.final()])
  } catch (cause) {
    throw new HandshakeError('a sealed message does not open with the key of this connection', { cause })
  }
}
