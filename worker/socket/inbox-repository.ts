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
type SenderKeyItem = proto.Message.ISenderKeyDistributionMessage

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
 * It is entered with the last of them, which decides: the others carry keys alone. A sender's key is stored in the
 * transaction that moves the ratchet of its ciphertext, where Baileys would do it after that. So a kill between the two
 * leaves a `pkmsg` that can't be read again, and needn't: it is answered for with an empty message, and the `skmsg` is read
 * under the key that was stored. Where there is none, Baileys asks for the message again, which brings the key.
 *
 * Of an empty message nothing else that Baileys makes of content (a deletion, a new expiry) happens; it did when the
 * message came first, or is lost like any event by a kill.
 */
export function inboxRepository(stanzas: Stanzas, entry: Entry, onEnd: OnDecrypted = () => {}): MakeRepository {
  return (auth, logger, pnToLid) => {
    const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository(auth, logger, pnToLid)
    const keys = transactional(auth.keys)
    /** The sender's key that was stored last, until Baileys wants to store it too. */
    let stored: string | undefined

    /**
     * Where the key is no key, it is left to Baileys to say so. No lock of the group: Baileys reads one message after
     * another, and what it sends goes under keys of its own.
     */
    const storeSenderKey = async (item: SenderKeyItem, authorJid: string): Promise<void> => {
      try {
        await repository.processSenderKeyDistributionMessage({ item, authorJid })
        stored = nameOf(item, authorJid)
      } catch {
        stored = undefined
      }
    }

    const receive = async (ciphertext: Uint8Array, lock: string, decrypt: Decrypt): Promise<Uint8Array> => {
      const stanza = stanzas.of(ciphertext)
      if (stanza === undefined) return decrypt()
      const isLast = --stanza.left <= 0
      // Before the lock: whoever sends to this contact needs it too.
      await entry.room()
      let added: number | undefined
      let isUnreadable = false
      try {
        const plaintext = await keys.transaction(async () => {
          if (await entry.holds(stanza.stanza)) return Uint8Array.of(EMPTY_MESSAGE)
          const plaintext = await decrypt().catch((error: unknown) => {
            isUnreadable = true
            throw error
          })
          const message = readMessage(plaintext)
          const item = message?.senderKeyDistributionMessage
          if (item) await storeSenderKey(item, stanza.author)
          // What is no message (a bug of the sender, another version) is Baileys' to refuse: it asks for it again.
          if (!isLast || message === undefined) return plaintext
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
        if (isUnreadable && !isLast) return Uint8Array.of(EMPTY_MESSAGE)
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
      // A second time would be a second key in the record, which holds the last five of an author.
      processSenderKeyDistributionMessage: async (opts) => {
        if (stored !== nameOf(opts.item, opts.authorJid)) await repository.processSenderKeyDistributionMessage(opts)
        stored = undefined
      },
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

function readMessage(plaintext: Uint8Array): proto.IMessage | undefined {
  try {
    return proto.Message.decode(unpadRandomMax16(plaintext))
  } catch {
    return undefined
  }
}

function nameOf({ groupId, axolotlSenderKeyDistributionMessage: key }: SenderKeyItem, authorJid: string): string {
  return `${authorJid}|${groupId}|${Buffer.from(key ?? []).toString('base64')}`
}
