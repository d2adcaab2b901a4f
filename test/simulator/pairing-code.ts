import { createCipheriv, createDecipheriv, hkdfSync, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { S_WHATSAPP_NET, jidDecode, type BinaryNode } from '@whiskeysockets/baileys'
import { SimulatorError } from './errors.ts'
import { makeKeyPair, sharedSecret, type KeyPair } from './keys.ts'
import { makeMessageId } from './message-id.ts'
import type { Candidate } from './registration.ts'
import { childBytes, childNamed, iqResult, stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** What a client left with the service when it showed a pairing code. */
export interface PairingCodeRequest {
  /** Number of the phone that is to enter the code. */
  readonly phone: string
  readonly ref: Buffer
  /** The client's ephemeral key under the code: salt, initialization vector, ciphertext. */
  readonly wrappedKey: Buffer
  /** Set from the phone's hello on: what to do with the client's finish. */
  awaitedFinish: { resolve(bundle: Buffer): void; reject(error: Error): void } | undefined
}

/** PBKDF2-HMAC-SHA256, 2 << 16 rounds, as Baileys' `derivePairingCodeKey`. */
const ROUNDS = 2 << 16
const SALT_BYTES = 32
const CTR_IV_BYTES = 16
const GCM_IV_BYTES = 12
const GCM_TAG_BYTES = 16
const KEY_BYTES = 32
const FINISH_TIMEOUT_MS = 60_000
/** Why a pairing ends that its client has left. */
export const CLIENT_GONE = 'the client went away in the middle of the pairing'

const deriveBytes = promisify(pbkdf2)

/** A `<link_code_companion_reg>` of a registering client: the request for a code, or the end of the exchange. */
export function handleLinkCode(world: World, candidate: Candidate, query: BinaryNode): void {
  const node = childNamed(query, 'link_code_companion_reg')
  const { connection } = candidate
  switch (node?.attrs['stage']) {
    case 'companion_hello': {
      const phone = jidDecode(node.attrs['jid'])?.user
      const wrappedKey = childBytes(node, 'link_code_pairing_wrapped_companion_ephemeral_pub')
      if (!phone || wrappedKey?.length !== SALT_BYTES + CTR_IV_BYTES + KEY_BYTES) break
      const ref = randomBytes(16)
      candidate.codeRequest = { phone, ref, wrappedKey, awaitedFinish: undefined }
      connection.send(
        iqResult(query, [
          stanza('link_code_companion_reg', { stage: 'companion_hello' }, [stanza('link_code_pairing_ref', {}, ref)]),
        ]),
      )
      world.events.emit({ type: 'pairing_code.requested', connectionId: connection.id, phone })
      return
    }
    case 'companion_finish':
      candidate.codeRequest?.awaitedFinish?.resolve(
        childBytes(node, 'link_code_pairing_wrapped_key_bundle') ?? Buffer.alloc(0),
      )
      break
    default:
      // Another stage, or no element of this kind at all: it gets an empty result, like every unknown query.
      break
  }
  connection.send(iqResult(query))
}

/**
 * The phone's side of pairing by code: proves both sides know it, and agrees on the secret (32 bytes) that seals the device identity.
 * Throws `wrong_pairing_code`, after which the code may be entered again; `pairing_failed` when the client does not go along.
 */
export async function agreeOnSecret(candidate: Candidate, phoneIdentity: KeyPair, code: string): Promise<Buffer> {
  const request = candidate.codeRequest
  if (!request) throw new SimulatorError('no_pairing_request', 'the client has not asked for a pairing code')
  const typed = code.replaceAll(/[\s-]/g, '').toUpperCase()
  const clientEphemeral = await unwrapKey(request.wrappedKey, typed)
  const ephemeral = makeKeyPair()
  const wrapped = await wrapKey(ephemeral.publicKey, typed)
  if (candidate.connection.state === 'closed') throw new SimulatorError('pairing_failed', CLIENT_GONE)
  const bundle = await askForFinish(candidate, request, wrapped, phoneIdentity.publicKey)

  const shared = sharedSecret(ephemeral.privateKey, clientEphemeral)
  const opened = openBundle(bundle, shared)
  const clientIdentity = candidate.device.identityKey
  if (!opened?.subarray(0, KEY_BYTES).equals(clientIdentity)) {
    throw new SimulatorError(
      'wrong_pairing_code',
      'this is not the code that the client shows; it may be entered again',
    )
  }
  const random = opened.subarray(2 * KEY_BYTES)
  const identityShared = sharedSecret(phoneIdentity.privateKey, clientIdentity)
  return derive(Buffer.concat([shared, identityShared, random]), Buffer.alloc(0), 'adv_secret')
}

function askForFinish(
  { connection }: Candidate,
  request: PairingCodeRequest,
  wrappedKey: Buffer,
  identityKey: Buffer,
): Promise<Buffer> {
  return new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        finish.reject(
          new SimulatorError('pairing_failed', `the client did not answer the code in ${FINISH_TIMEOUT_MS} ms`),
        ),
      FINISH_TIMEOUT_MS,
    )
    const settle =
      <T>(next: (value: T) => void) =>
      (value: T): void => {
        clearTimeout(timer)
        request.awaitedFinish = undefined
        next(value)
      }
    const finish = { resolve: settle(resolve), reject: settle<Error>(reject) }
    request.awaitedFinish = finish
    connection.send(
      stanza(
        'notification',
        { from: S_WHATSAPP_NET, type: 'link_code_companion_reg', id: makeMessageId(), t: unixSeconds() },
        [
          stanza('link_code_companion_reg', { stage: 'primary_hello' }, [
            stanza('link_code_pairing_wrapped_primary_ephemeral_pub', {}, wrappedKey),
            stanza('primary_identity_pub', {}, identityKey),
            stanza('link_code_pairing_ref', {}, request.ref),
          ]),
        ],
      ),
    )
  })
}

async function wrapKey(key: Buffer, code: string): Promise<Buffer> {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(CTR_IV_BYTES)
  const cipher = createCipheriv('aes-256-ctr', await deriveBytes(code, salt, ROUNDS, KEY_BYTES, 'sha256'), iv)
  return Buffer.concat([salt, iv, cipher.update(key), cipher.final()])
}

async function unwrapKey(wrapped: Buffer, code: string): Promise<Buffer> {
  const salt = wrapped.subarray(0, SALT_BYTES)
  const iv = wrapped.subarray(SALT_BYTES, SALT_BYTES + CTR_IV_BYTES)
  const cipher = createDecipheriv('aes-256-ctr', await deriveBytes(code, salt, ROUNDS, KEY_BYTES, 'sha256'), iv)
  return Buffer.concat([cipher.update(wrapped.subarray(SALT_BYTES + CTR_IV_BYTES)), cipher.final()])
}

/** The client's identity, the phone's identity, 32 random bytes; undefined when the two sides used different codes. */
function openBundle(bundle: Buffer, shared: Buffer): Buffer | undefined {
  const tagStart = bundle.length - GCM_TAG_BYTES
  if (tagStart !== SALT_BYTES + GCM_IV_BYTES + 3 * KEY_BYTES) return undefined
  const key = derive(shared, bundle.subarray(0, SALT_BYTES), 'link_code_pairing_key_bundle_encryption_key')
  const decipher = createDecipheriv('aes-256-gcm', key, bundle.subarray(SALT_BYTES, SALT_BYTES + GCM_IV_BYTES))
  decipher.setAuthTag(bundle.subarray(tagStart))
  try {
    return Buffer.concat([decipher.update(bundle.subarray(SALT_BYTES + GCM_IV_BYTES, tagStart)), decipher.final()])
  } catch {
    // Another code gives another key, and GCM refuses that.
    return undefined
  }
}

function derive(secret: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, salt, info, KEY_BYTES))
}
