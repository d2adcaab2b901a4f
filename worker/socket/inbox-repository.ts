import {
  DEFAULT_CONNECTION_CONFIG,
  proto,
  unpadRandomMax16,
  type SignalKeyStoreWithTransaction,
  type SocketConfig,
} from '@whiskeysockets/baileys'
import type { Addition } from '../core/inbox.ts'
import { inboxData } from '../session/inbox-store.ts'
import type { Stanzas } from './stanzas.ts'

type MakeRepository = SocketConfig['makeSignalRepository']
type Decrypt = () => Promise<Uint8Array>

/** Where messages are entered; worker/message-stream.ts. */
export interface Entry {
  /** Resolves when there is room for one more. */
  room(): Promise<void>
  /** Whether the message was taken in, once that is on the disk: its receipt may follow. */
  holds(stanza: string): Promise<boolean>
  add(stanza: string, id: string): Addition
  committed(sequence: number): void
  abandoned(sequence: number): void
}

/** Told of the end of each decryption, of others' messages and of own ones. */
export type OnDecrypted = (ciphertext: Uint8Array, good: boolean) => void

/** One byte of padding after a message of no bytes: Baileys reads it as a message without content. */
const EMPTY_MESSAGE = 1

/**
 * Baileys' Signal repository, with each message of others entered into the inbox by the very transaction that moves its
 * ratchet: one record of the log, one sync, both or neither. Baileys sends its receipt after that, and its own event
 * up to half a minute later; what is told to the supervisor comes from the inbox, so a kill at any moment loses nothing.
 *
 * A message that the inbox holds already (WhatsApp had no receipt, so it delivers again; the ratchet has moved on) is
 * not decrypted but answered for with an empty message: Baileys sends the receipt that was missing, asks for no retry,
 * and its event counts for nothing.
 *
 * A message may come as several ciphertexts: in a group a `pkmsg` with the sender's key, then the `skmsg` that needs it.
 * It is entered with the last of them, and by then Baileys has stored the sender's key of the first. What a kill between
 * them leaves: the `pkmsg` can't be read again, the `skmsg` can if the sender's key was stored, and is entered; if it was
 * not, or if a single ciphertext carried a sender's key that a kill kept from being stored, the author's next message
 * can't be read and Baileys asks for it again, which brings the key. Of an empty message nothing else that Baileys makes
 * of content (a deletion, a new expiry) happens; it did when the message came first, or is lost like any event by a kill.
 */
export function inboxRepository(stanzas: Stanzas, entry: Entry, onEnd: OnDecrypted = () => {}): MakeRepository {
  return (auth, logger, pnToLid) => {
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid)
    const keys = transactional(auth.keys)

    const receive = async (ciphertext: Uint8Array, lock: string, decrypt: Decrypt): Promise<Uint8Array> => {
      const stanza = stanzas.of(ciphertext)
      if (stanza === undefined) return decrypt()
      const isLast = --stanza.left <= 0
      // Before the lock: whoever sends to this contact needs it too.
      await entry.room()
      let added: number | undefined
      try {
        const plaintext = await keys.transaction(async () => {
          if (await entry.holds(stanza.stanza)) return Uint8Array.of(EMPTY_MESSAGE)
          const plaintext = await decrypt()
          // What is no message (a bug of the sender, another version) is Baileys' to refuse: it asks for it again.
          if (!isLast || !isMessage(plaintext)) return plaintext
          // A socket that was given up in the middle of this, and its successor, which got the message again.
          if (await entry.holds(stanza.stanza)) return plaintext
          const addition = entry.add(stanza.stanza, stanza.id)
          added = addition.record.sequence
          await keys.set(inboxData(addition))
          return plaintext
        }, lock)
        if (added !== undefined) entry.committed(added)
        return plaintext
      } catch (error) {
        if (added !== undefined) entry.abandoned(added)
        throw error
      }
    }

    const watched = (ciphertext: Uint8Array, work: Promise<Uint8Array>): Promise<Uint8Array> => {
      work.then(
        () => onEnd(ciphertext, true),
        () => onEnd(ciphertext, false),
      )
      return work
    }

    return {
      ...repository,
      // The same locks as Baileys' own: a transaction inside another joins it, whatever lock it names.
      decryptMessage: (opts) =>
        watched(
          opts.ciphertext,
          receive(opts.ciphertext, opts.jid, () => repository.decryptMessage(opts)),
        ),
      decryptGroupMessage: (opts) =>
        watched(
          opts.msg,
          receive(opts.msg, opts.group, () => repository.decryptGroupMessage(opts)),
        ),
    }
  }
}

function transactional(keys: object): SignalKeyStoreWithTransaction {
  if (!('transaction' in keys)) throw new TypeError("Baileys' key store has no transactions: is it of another version?")
  return keys as SignalKeyStoreWithTransaction
}

function isMessage(plaintext: Uint8Array): boolean {
  try {
    proto.Message.decode(unpadRandomMax16(plaintext))
    return true
  } catch {
    return false
  }
}
