import type { BinaryNode } from '@whiskeysockets/baileys'
import type { KeyPair } from './keys.ts'

/**
 * A WhatsApp user: the phone itself (device 0) and the devices linked to it. Contacts are phones without devices.
 * All of it is plain data: it is what the state file holds.
 */
export interface Phone {
  /** Digits of the E.164 number, no plus sign. */
  readonly number: string
  /** The user part of the LID, WhatsApp's identifier that hides the number. */
  readonly lid: string
  /** The push name that others see. */
  name: string
  /** Made when it is first needed: most contacts are only ever looked up. */
  signal?: PhoneSignal
  companions: Companion[]
  nextDeviceId: number
  nextKeyIndex: number
  /** App-state patches by collection; a collection's version is the number of its patches. */
  appState: Record<string, Buffer[]>
}

/** What the phone itself needs to speak Signal. */
export interface PhoneSignal {
  readonly identity: KeyPair
  readonly registrationId: number
  readonly signedPreKey: { readonly id: number; readonly keys: KeyPair; readonly signature: Buffer }
  /** One-time keys that were handed out and not used yet, oldest first. */
  preKeys: { readonly id: number; readonly keys: KeyPair }[]
  nextPreKeyId: number
  /** libsignal's serialized session records, by "lid.device". */
  sessions: Record<string, SessionRecordJson>
}

/** libsignal's own serialization, of which only the part that is read here is typed. */
export interface SessionRecordJson {
  readonly version: string
  readonly _sessions: Record<string, { readonly indexInfo: { closed: number } }>
}

/** A linked device: what the client under test is. */
export interface Companion {
  readonly deviceId: number
  readonly keyIndex: number
  readonly noiseKey: Buffer
  readonly identityKey: Buffer
  registrationId: number
  signedPreKey: SignedPreKey
  /** One-time keys that are left, oldest first: id, then the key in base64 (there may be hundreds per device). */
  preKeys: [id: number, key: string][]
  /** Whether the app-state key and the history were sent: that happens once. */
  historySent: boolean
  /** What the device did not confirm yet, oldest first. */
  queue: QueuedStanza[]
}

export interface SignedPreKey {
  readonly id: number
  readonly key: Buffer
  readonly signature: Buffer
}

/** A stanza that is kept, and sent again at every login, until the device confirms it. */
export interface QueuedStanza {
  readonly id: string
  readonly kind: 'message' | 'peer_message' | 'receipt' | 'notification'
  node: BinaryNode
  /** Set when a phone of the simulator wrote it, so that a retry receipt can be served; absent for relayed stanzas. */
  readonly source?: MessageSource
  /** Encryptions so far, the first included. */
  attempts: number
  /** Negative acknowledgements still to come for attempts that a newer one replaced. */
  supersededNacks: number
}

export interface MessageSource {
  /** Number of the phone that wrote it. */
  readonly from: string
  /** Encoded and padded `proto.Message`. */
  readonly plaintext: Buffer
}

export const PN_SERVER = 's.whatsapp.net'
export const LID_SERVER = 'lid'

export function pnJid(phone: Phone, deviceId = 0): string {
  return `${phone.number}${deviceId === 0 ? '' : `:${deviceId}`}@${PN_SERVER}`
}

export function lidJid(phone: Phone, deviceId = 0): string {
  return `${phone.lid}${deviceId === 0 ? '' : `:${deviceId}`}@${LID_SERVER}`
}

export function companionOf(phone: Phone, deviceId: number): Companion | undefined {
  return phone.companions.find((companion) => companion.deviceId === deviceId)
}
