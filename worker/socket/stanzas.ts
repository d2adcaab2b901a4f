import { createHash } from 'node:crypto'
import {
  areJidsSameUser,
  decodeMessageNode,
  getBinaryNodeChild,
  type AuthenticationCreds,
  type BinaryNode,
} from '@whiskeysockets/baileys'

/** The message that a ciphertext belongs to. */
export interface Stanza {
  id: string
  /** The same for every delivery of this message, and for no other; no number can be read from it. */
  stanza: string
  /** Jid of the device that wrote it. */
  author: string
  /** Ciphertexts of it that have not been decrypted yet, this one included. */
  left: number
}

/** Ciphertexts that Baileys decrypts; `msmsg` it refuses unread, plaintext it takes as it is. */
const DECRYPTABLE = new Set(['pkmsg', 'msg', 'skmsg'])

/**
 * Baileys hands a ciphertext to the decryption without a word of the message it came with: this keeps the two together,
 * by the very bytes object. Held weakly: a stanza that is never decrypted leaves nothing behind.
 *
 * `note` is a listener of `CB:message` and runs within the same turn of the event loop as Baileys' own, whichever of the
 * two comes first: Baileys awaits the sender's LID before it decrypts anything (decode-wa-message.js), and puts stanzas
 * that waited while the device was offline into a queue, where they may stay for minutes.
 */
export class Stanzas {
  readonly #creds: () => AuthenticationCreds
  readonly #byCiphertext = new WeakMap<Uint8Array, Stanza>()

  constructor(creds: () => AuthenticationCreds) {
    this.#creds = creds
  }

  /** @returns the ciphertexts of the stanza that Baileys will try to decrypt, in the order in which it will */
  note(node: BinaryNode): readonly Uint8Array[] {
    const author = this.#authorOf(node)
    const ciphertexts = author === undefined ? [] : ciphertextsOf(node)
    const { id, from, participant = '', category } = node.attrs
    // What the own phone and the account's other devices write is no message of others, and neither is a peer message.
    if (author === undefined || id === undefined || from === undefined) return ciphertexts
    if (category !== 'peer' && !this.#isOwn(participant || from)) {
      const stanza = createHash('sha256').update(`${from}|${participant}|${id}`).digest('base64url').slice(0, 22)
      const shared: Stanza = { id, stanza, author, left: ciphertexts.length }
      for (const ciphertext of ciphertexts) this.#byCiphertext.set(ciphertext, shared)
    }
    return ciphertexts
  }

  of(ciphertext: Uint8Array): Stanza | undefined {
    return this.#byCiphertext.get(ciphertext)
  }

  /** Undefined where Baileys refuses it before it looks at a ciphertext, as handleMessage and decodeMessageNode do. */
  #authorOf(node: BinaryNode): string | undefined {
    const { me } = this.#creds()
    if (me === undefined || getBinaryNodeChild(node, 'enc')?.attrs['type'] === 'msmsg') return undefined
    try {
      return decodeMessageNode(node, me.id, me.lid ?? '').author
    } catch {
      return undefined
    }
  }

  #isOwn(jid: string): boolean {
    const { me } = this.#creds()
    return [me?.id, me?.lid].some((own) => own !== undefined && areJidsSameUser(own, jid))
  }
}

function ciphertextsOf(node: BinaryNode): Uint8Array[] {
  if (!Array.isArray(node.content)) return []
  return node.content.flatMap(({ tag, attrs, content }) =>
    tag === 'enc' && DECRYPTABLE.has(attrs['type'] ?? '') && content instanceof Uint8Array ? [content] : [],
  )
}
