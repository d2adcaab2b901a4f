import { GroupCipher } from '@whiskeysockets/baileys/lib/Signal/Group/group_cipher.js'
import { GroupSessionBuilder } from '@whiskeysockets/baileys/lib/Signal/Group/group-session-builder.js'
import { SenderKeyName } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-name.js'
import { SenderKeyRecord } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-record.js'
import type { Phone } from './phone.ts'

/**
 * The keys under which phones write to groups, one for each phone and group. In memory only: after a restart each
 * writer has a new one, and hands it out again.
 */
export class SenderKeys {
  readonly #records = new Map<string, SenderKeyRecord>()
  /** Which device has which key already. */
  readonly #handedOut = new Set<string>()
  #tail: Promise<unknown> = Promise.resolve()

  /** Messages one after the other: none overtakes the one that brings its key. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work)
    this.#tail = result.catch(() => undefined)
    return result
  }

  /** What a device ("lid.device") needs to read the group's messages of this writer; undefined where it has had it. */
  async handOut(group: string, writer: Phone, device: string): Promise<Uint8Array | undefined> {
    const handedOut = `${nameOf(group, writer).toString()}|${device}`
    if (this.#handedOut.has(handedOut)) return undefined
    const message = await new GroupSessionBuilder(this.#store()).create(nameOf(group, writer))
    this.#handedOut.add(handedOut)
    return message.serialize()
  }

  /** The device could not read a message of the writer: the next one brings the key again. */
  takeBack(group: string, writer: Phone, device: string): void {
    this.#handedOut.delete(`${nameOf(group, writer).toString()}|${device}`)
  }

  /** Under a key that was handed out. */
  async encrypt(group: string, writer: Phone, plaintext: Uint8Array): Promise<Buffer> {
    return Buffer.from(await new GroupCipher(this.#store(), nameOf(group, writer)).encrypt(plaintext))
  }

  #store() {
    return {
      loadSenderKey: async (name: SenderKeyName) => this.#records.get(name.toString()) ?? new SenderKeyRecord(),
      storeSenderKey: async (name: SenderKeyName, record: SenderKeyRecord) => {
        this.#records.set(name.toString(), record)
      },
    }
  }
}

function nameOf(group: string, writer: Phone): SenderKeyName {
  return new SenderKeyName(group, { id: writer.lid, deviceId: 0, toString: () => `${writer.lid}.0` })
}
