import libsignal from 'libsignal'
import { proto } from '@whiskeysockets/baileys'
import { makeKeyPair, makeRegistrationId, sign, withKeyType, type KeyPair } from './keys.ts'
import type { Phone, PhoneSignal, SessionRecordJson } from './phone.ts'

/** What another device needs to write to one first: its public keys. All keys have 32 bytes. */
export interface PreKeyBundle {
  readonly registrationId: number
  readonly identityKey: Buffer
  readonly signedPreKey: { readonly id: number; readonly key: Buffer; readonly signature: Buffer }
  /** Absent when the device has none left: Signal works without. */
  readonly preKey?: { readonly id: number; readonly key: Buffer } | undefined
}

export type CiphertextType = 'pkmsg' | 'msg'

export interface Ciphertext {
  readonly type: CiphertextType
  readonly body: Buffer
}

/** libsignal's number for a message that still carries the sender's keys. */
const PREKEY_MESSAGE = 3
/** libsignal keeps 40 closed sessions and prints the one it drops, private keys included: stay below. */
const CLOSED_SESSIONS_KEPT = 20
/** Handed-out one-time keys that were never used are forgotten beyond this many. */
const UNUSED_PREKEYS_KEPT = 200
const SIGNED_PREKEY_ID = 1

/**
 * The Signal side of one phone of the simulator: encrypts to and decrypts from linked devices, over libsignal.
 * Operations run one after the other. A failed one changes nothing.
 *
 * libsignal prints a whole session, private keys included, whenever it closes one; so sessions are closed here,
 * in the serialized record, before libsignal sees them.
 */
export class SignalPhone {
  readonly #phone: Phone
  readonly #changed: () => void
  #tail: Promise<unknown> = Promise.resolve()

  /** `changed` is called after every change of the phone's sessions or keys. */
  constructor(phone: Phone, changed: () => void) {
    this.#phone = phone
    this.#changed = changed
  }

  get identity(): KeyPair {
    return this.#signal().identity
  }

  hasSession(address: string): boolean {
    const record = this.#phone.signal?.sessions[address]
    return record !== undefined && Object.values(record._sessions).some(isOpen)
  }

  /** The keys another device needs to write to this phone; each call hands out a new one-time key. */
  makeBundle(): PreKeyBundle {
    const signal = this.#signal()
    const preKey = { id: signal.nextPreKeyId++, keys: makeKeyPair() }
    signal.preKeys.push(preKey)
    if (signal.preKeys.length > UNUSED_PREKEYS_KEPT) signal.preKeys.shift()
    this.#changed()
    return {
      registrationId: signal.registrationId,
      identityKey: signal.identity.publicKey,
      signedPreKey: {
        id: signal.signedPreKey.id,
        key: signal.signedPreKey.keys.publicKey,
        signature: signal.signedPreKey.signature,
      },
      preKey: { id: preKey.id, key: preKey.keys.publicKey },
    }
  }

  /** Starts a session with the device at `address` ("lid.device") from its keys; an open one is closed, not lost. */
  startSession(address: string, bundle: PreKeyBundle): Promise<void> {
    return this.#exclusive(async () => {
      const storage = new RecordStorage(this.#signal(), address, (record) => withSessionsClosed(record))
      await new libsignal.SessionBuilder(storage, protocolAddress(address)).initOutgoing({
        registrationId: bundle.registrationId,
        identityKey: withKeyType(bundle.identityKey),
        signedPreKey: {
          keyId: bundle.signedPreKey.id,
          publicKey: withKeyType(bundle.signedPreKey.key),
          signature: bundle.signedPreKey.signature,
        },
        // The type of libsignal's declaration wants a one-time key; the code takes undefined for "none left".
        preKey: (bundle.preKey && {
          keyId: bundle.preKey.id,
          publicKey: withKeyType(bundle.preKey.key),
        }) as { keyId: number; publicKey: Uint8Array },
      })
      this.#keep(storage)
    })
  }

  /** Closes the open session, so that the next message starts a new one. Messages of the old one still decrypt. */
  closeSession(address: string): void {
    const signal = this.#phone.signal
    const record = signal?.sessions[address]
    if (!signal || !record) return
    signal.sessions[address] = withSessionsClosed(record)
    this.#changed()
  }

  /** Needs an open session. 'pkmsg' until the device has answered once, then 'msg'. */
  encrypt(address: string, plaintext: Buffer): Promise<Ciphertext> {
    return this.#exclusive(async () => {
      const storage = new RecordStorage(this.#signal(), address, (record) => record)
      const { type, body } = await new libsignal.SessionCipher(storage, protocolAddress(address)).encrypt(plaintext)
      this.#keep(storage)
      // Declared as a string, a Buffer since libsignal 5.
      return { type: type === PREKEY_MESSAGE ? 'pkmsg' : 'msg', body: Buffer.from(body, 'latin1') }
    })
  }

  /** Throws when the message belongs to no session of this phone, or was decrypted before. */
  decrypt(address: string, { type, body }: Ciphertext): Promise<Buffer> {
    return this.#exclusive(async () => {
      const opensNewSession = type === 'pkmsg' && !this.#knowsSessionOf(address, body)
      const storage = new RecordStorage(this.#signal(), address, (record) =>
        opensNewSession ? withSessionsClosed(record) : record,
      )
      const cipher = new libsignal.SessionCipher(storage, protocolAddress(address))
      const plaintext =
        type === 'pkmsg' ? await cipher.decryptPreKeyWhisperMessage(body) : await cipher.decryptWhisperMessage(body)
      this.#keep(storage)
      return plaintext
    })
  }

  #signal(): PhoneSignal {
    this.#phone.signal ??= makeSignal()
    return this.#phone.signal
  }

  #knowsSessionOf(address: string, prekeyMessage: Buffer): boolean {
    const { baseKey } = proto.PreKeySignalMessage.decode(prekeyMessage.subarray(1))
    const record = this.#phone.signal?.sessions[address]
    return record?._sessions[Buffer.from(baseKey ?? []).toString('base64')] !== undefined
  }

  #keep(storage: RecordStorage): void {
    storage.commit()
    this.#changed()
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }
}

/** libsignal's view of one session record; nothing reaches the phone before `commit`. */
class RecordStorage {
  readonly #signal: PhoneSignal
  readonly #address: string
  #record: SessionRecordJson | undefined
  #usedPreKey: number | undefined

  constructor(signal: PhoneSignal, address: string, prepare: (record: SessionRecordJson) => SessionRecordJson) {
    this.#signal = signal
    this.#address = address
    const stored = signal.sessions[address]
    this.#record = stored && prepare(stored)
  }

  commit(): void {
    if (this.#record) this.#signal.sessions[this.#address] = this.#record
    this.#signal.preKeys = this.#signal.preKeys.filter(({ id }) => id !== this.#usedPreKey)
  }

  async loadSession(): Promise<libsignal.SessionRecord | null> {
    // Declared as bytes; it is a plain object in every release.
    return this.#record ? libsignal.SessionRecord.deserialize(this.#record as unknown as Uint8Array) : null
  }

  async storeSession(_address: string, record: libsignal.SessionRecord): Promise<void> {
    this.#record = record.serialize() as unknown as SessionRecordJson
  }

  isTrustedIdentity(): boolean {
    return true
  }

  async loadPreKey(id: number | string): Promise<{ pubKey: Buffer; privKey: Buffer } | undefined> {
    const preKey = this.#signal.preKeys.find((candidate) => candidate.id === Number(id))
    return preKey && libsignalKeys(preKey.keys)
  }

  removePreKey(id: number): void {
    this.#usedPreKey = id
  }

  loadSignedPreKey(): { pubKey: Buffer; privKey: Buffer } {
    return libsignalKeys(this.#signal.signedPreKey.keys)
  }

  getOurRegistrationId(): number {
    return this.#signal.registrationId
  }

  getOurIdentity(): { pubKey: Buffer; privKey: Buffer } {
    return libsignalKeys(this.#signal.identity)
  }
}

function makeSignal(): PhoneSignal {
  const identity = makeKeyPair()
  const keys = makeKeyPair()
  return {
    identity,
    registrationId: makeRegistrationId(),
    signedPreKey: { id: SIGNED_PREKEY_ID, keys, signature: sign(identity.privateKey, withKeyType(keys.publicKey)) },
    preKeys: [],
    nextPreKeyId: 1,
    sessions: {},
  }
}

function libsignalKeys(keys: KeyPair): { pubKey: Buffer; privKey: Buffer } {
  return { pubKey: withKeyType(keys.publicKey), privKey: keys.privateKey }
}

function protocolAddress(address: string): libsignal.ProtocolAddress {
  const [name = '', deviceId = ''] = address.split('.')
  return new libsignal.ProtocolAddress(name, Number(deviceId))
}

function isOpen(session: SessionRecordJson['_sessions'][string]): boolean {
  return session.indexInfo.closed === -1
}

/** A copy of the record in which no session is open, and only the newest closed ones are left. */
function withSessionsClosed(record: SessionRecordJson, nowMs: number = Date.now()): SessionRecordJson {
  const entries = Object.entries(structuredClone(record)._sessions)
  for (const [, session] of entries) if (isOpen(session)) session.indexInfo.closed = nowMs
  entries.sort(([, a], [, b]) => b.indexInfo.closed - a.indexInfo.closed)
  return { version: record.version, _sessions: Object.fromEntries(entries.slice(0, CLOSED_SESSIONS_KEPT)) }
}
