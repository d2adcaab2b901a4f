import { encodeWAMessage, proto, type BinaryNode } from '@whiskeysockets/baileys'
import { deliver } from './delivery.ts'
import { makeMessageId } from './message-id.ts'
import { lidJid, pnJid, type Companion, type MessageSource, type Phone } from './phone.ts'
import { takeBundle } from './prekeys.ts'
import type { Ciphertext } from './signal-phone.ts'
import { stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** Whether a message names people by LID (with the number beside it) or by number (with the LID beside it). */
export type Addressing = 'lid' | 'pn'

/** Encryption version 2 is Signal's; there is no other. */
export const ENC_VERSION = '2'

/** At the end of a message to a group. */
const SIGNATURE_BYTES = 64

/** The name of a device in the Signal sessions of the simulator's phones. */
export function signalAddress(phone: Phone, deviceId: number): string {
  return `${phone.lid}.${deviceId}`
}

/** A phone writes to another: to each device linked to it, and a copy to each device linked to the writer. */
export async function sendFromPhone(
  world: World,
  from: Phone,
  to: Phone,
  message: proto.IMessage,
  addressing: Addressing,
): Promise<string> {
  const id = makeMessageId()
  const jidOf = addressing === 'lid' ? lidJid : pnJid
  const otherJidOf = addressing === 'lid' ? pnJid : lidJid
  const other = addressing === 'lid' ? 'pn' : 'lid'
  const base = { id, type: 'text', t: unixSeconds(), addressing_mode: addressing }

  if (to !== from) {
    const attrs = { ...base, from: jidOf(from), [`sender_${other}`]: otherJidOf(from), notify: from.name }
    await sendToDevices(world, from, to, attrs, encodeWAMessage(message))
  }
  const copy = { deviceSentMessage: { destinationJid: jidOf(to), message } }
  const attrs = { ...base, from: jidOf(from), recipient: jidOf(to), [`peer_recipient_${other}`]: otherJidOf(to) }
  await sendToDevices(world, from, from, attrs, encodeWAMessage(copy))
  return id
}

/**
 * A phone writes to a group that `to` is in: each device linked to `to` gets the message under the writer's key of the
 * group, and before it, encrypted for this device alone, that key, unless it has it.
 */
export function sendToGroup(
  world: World,
  from: Phone,
  to: Phone,
  group: string,
  message: proto.IMessage,
): Promise<string> {
  const { senderKeys, faults } = world
  return senderKeys.inTurn(async () => {
    const id = makeMessageId()
    const attrs = {
      ...{ id, type: 'text', t: unixSeconds(), addressing_mode: 'lid', notify: from.name },
      ...{ from: group, participant: lidJid(from), participant_pn: pnJid(from) },
    }
    const keys = new Map<Companion, Ciphertext>()
    for (const companion of to.companions) {
      const key = await senderKeys.handOut(group, from, signalAddress(to, companion.deviceId))
      if (key === undefined) continue
      const senderKeyDistributionMessage = { groupId: group, axolotlSenderKeyDistributionMessage: key }
      keys.set(
        companion,
        await encryptFor(world, from, to, companion, encodeWAMessage({ senderKeyDistributionMessage })),
      )
    }
    const plaintext = encodeWAMessage(message)
    const body = await senderKeys.encrypt(group, from, plaintext)
    for (const companion of [...to.companions]) {
      const key = keys.get(companion)
      const isForged = faults.take('forge_group_message', to.number) !== undefined
      const enc = stanza('enc', { v: ENC_VERSION, type: 'skmsg' }, isForged ? withSignatureChanged(body) : body)
      const node = stanza('message', attrs, key === undefined ? [enc] : [encNode(key), enc])
      // Who could not read it gets it for itself alone.
      const source = { from: from.number, plaintext }
      deliver(world, to, companion, { id, kind: 'message', node, source, attempts: 1, supersededNacks: 0 })
    }
    return id
  })
}

/** A phone writes to one of its own devices what no person sees: keys, history. */
export async function sendToOwnDevice(
  world: World,
  phone: Phone,
  companion: Companion,
  protocolMessage: proto.Message.IProtocolMessage,
): Promise<void> {
  const source = { from: phone.number, plaintext: encodeWAMessage({ protocolMessage }) }
  const enc = await encryptFor(world, phone, phone, companion, source.plaintext)
  const id = makeMessageId()
  const attrs = { id, type: 'text', t: unixSeconds(), from: pnJid(phone), notify: phone.name, category: 'peer' }
  const node = stanza('message', attrs, [encNode(enc)])
  deliver(world, phone, companion, { id, kind: 'peer_message', node, source, attempts: 1, supersededNacks: 0 })
}

/** The same message once more, under a new session: what a retry receipt asks for. */
export async function encryptAgain(
  world: World,
  to: { readonly phone: Phone; readonly companion: Companion },
  source: MessageSource,
  node: BinaryNode,
  attempt: number,
): Promise<BinaryNode> {
  const enc = await encryptFor(world, world.directory.get(source.from), to.phone, to.companion, source.plaintext)
  return { ...node, content: [encNode(enc, { count: String(attempt - 1) })] }
}

async function sendToDevices(
  world: World,
  from: Phone,
  to: Phone,
  attrs: Readonly<Record<string, string>> & { readonly id: string },
  plaintext: Buffer,
): Promise<void> {
  const source = { from: from.number, plaintext }
  for (const companion of [...to.companions]) {
    const node = stanza('message', attrs, [encNode(await encryptFor(world, from, to, companion, plaintext))])
    deliver(world, to, companion, { id: attrs.id, kind: 'message', node, source, attempts: 1, supersededNacks: 0 })
  }
}

async function encryptFor(
  world: World,
  from: Phone,
  to: Phone,
  companion: Companion,
  plaintext: Buffer,
): Promise<Ciphertext> {
  const signal = world.signalOf(from)
  const address = signalAddress(to, companion.deviceId)
  if (!signal.hasSession(address)) await signal.startSession(address, takeBundle(world, to, companion))
  const enc = await signal.encrypt(address, plaintext)
  return world.faults.take('corrupt_message', to.number) ? withBrokenMac(enc) : enc
}

function encNode({ type, body }: Ciphertext, extra: Readonly<Record<string, string>> = {}): BinaryNode {
  return stanza('enc', { v: ENC_VERSION, type, ...extra }, body)
}

/** Damages the message's MAC, its last 8 bytes; in a prekey message it is wrapped together with the sender's keys. */
export function withBrokenMac({ type, body }: Ciphertext): Ciphertext {
  if (type === 'msg') return { type, body: withLastByteFlipped(body) }
  const version = body.subarray(0, 1)
  const wrapper = proto.PreKeySignalMessage.decode(body.subarray(1))
  wrapper.message = withLastByteFlipped(wrapper.message ?? Buffer.alloc(1))
  return { type, body: Buffer.concat([version, proto.PreKeySignalMessage.encode(wrapper).finish()]) }
}

/** In the first half of the signature, so that only the curve's equation shows it: the second half has a range as well. */
function withSignatureChanged(body: Buffer): Buffer {
  const changed = Buffer.from(body)
  const at = changed.length - SIGNATURE_BYTES
  changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
  return changed
}

function withLastByteFlipped(bytes: Uint8Array): Buffer {
  const flipped = Buffer.from(bytes)
  flipped.writeUInt8(flipped.readUInt8(flipped.length - 1) ^ 0xff, flipped.length - 1)
  return flipped
}
