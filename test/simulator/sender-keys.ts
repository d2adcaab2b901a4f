import { jidDecode } from '@whiskeysockets/baileys'
import { GroupCipher } from '@whiskeysockets/baileys/lib/Signal/Group/group_cipher.js'
import { GroupSessionBuilder } from '@whiskeysockets/baileys/lib/Signal/Group/group-session-builder.js'
import { SenderKeyName } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-name.js'
import { SenderKeyRecord } from '@whiskeysockets/baileys/lib/Signal/Group/sender-key-record.js'

/**
 * The keys under which phones write to groups, one for each phone and group. In memory only: after a restart each
 * writer has a new one, and hands it out again.
 */
export class SenderKeys {
  readonly #records = new Map<string, SenderKeyRecord>()
  /** Who has which key already. */
  readonly #handedOut = new Set<string>()

  /** What a device needs to read the group's messages of this writer; undefined where it has had it. */
  async handOut(group: string, writer: string, device: string): Promise<Uint8Array | undefined> {
    const name = nameOf(group, writer)
    const handedOut = `${name.toString()}|${device}`
    if (this.#handedOut.has(handedOut)) return undefined
    const message = await new GroupSessionBuilder(this.#store()).create(name)
    this.#handedOut.add(handedOut)
    return message.serialize()
  }

  /** Under a key that was handed out. */
  async encrypt(group: string, writer: string, plaintext: Uint8Array): Promise<Buffer> {
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

function nameOf(group: string, writer: string): SenderKeyName {
  const user = jidDecode(writer)?.user ?? ''
  return new SenderKeyName(group, { id: user, deviceId: 0, toString: () => `${user}.0` })
}
