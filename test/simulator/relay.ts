import { proto, unpadRandomMax16, type BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from './connection.ts'
import { deliver } from './delivery.ts'
import type { DeviceAddress } from './directory.ts'
import { signalAddress } from './messages.ts'
import { companionOf, lidJid, LID_SERVER, pnJid, type Phone } from './phone.ts'
import { sendReceiptTo } from './receipts.ts'
import { sendRetryReceipt } from './retries.ts'
import type { CiphertextType } from './signal-phone.ts'
import { ackOf, bytesOf, childNamed, children, stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** "SMAX_INVALID": the service's word for a stanza that is not as it should be. */
const INVALID_STANZA = 479

/** One recipient's part of a message: whose device, and the `<enc>` for it. */
interface Part {
  readonly to: DeviceAddress
  readonly enc: BinaryNode
}

/**
 * A linked device sends a message: one ciphertext per recipient device. It is acknowledged first, then the
 * simulator's phones decrypt theirs and answer with receipts, and other linked devices get theirs relayed.
 */
export async function handleMessage(world: World, connection: Connection, node: BinaryNode): Promise<void> {
  const sender = senderOf(world, connection)
  const { id = '', to } = node.attrs
  if (!sender || world.faults.take('withhold_message_acks', sender.phone.number)) return
  const parts = partsOf(world, node)
  const refused = world.faults.take('refuse_messages', sender.phone.number)
  // A message without any ciphertext is what Baileys sends when its device lookup timed out: nobody could read it.
  const code = refused?.code ?? (parts.length === 0 ? INVALID_STANZA : undefined)
  connection.send(ackOf(node, { t: unixSeconds(), error: code === undefined ? undefined : String(code) }))
  if (code !== undefined) {
    world.events.emit({ type: 'message.refused', phone: sender.phone.number, messageId: id, code })
    return
  }
  world.events.emit({ type: 'message.sent', phone: sender.phone.number, deviceId: sender.deviceId, messageId: id })
  const usesLid = to?.endsWith(`@${LID_SERVER}`) ?? false
  for (const part of parts) {
    if (part.to.deviceId === 0) await readAtPhone(world, sender, node, part, usesLid)
    else relayToDevice(world, sender, node, part, usesLid)
  }
}

function senderOf(world: World, { login }: Connection): DeviceAddress | undefined {
  const phone = login && world.directory.find(login.phone)
  return login && phone && { phone, deviceId: login.deviceId }
}

function partsOf(world: World, node: BinaryNode): Part[] {
  const direct = childNamed(node, 'enc')
  const pairs = direct
    ? [{ jid: node.attrs['to'], enc: direct }]
    : children(childNamed(node, 'participants')).map((to) => ({ jid: to.attrs['jid'], enc: childNamed(to, 'enc') }))
  return pairs.flatMap(({ jid, enc }) => {
    const to = world.directory.findByJid(jid)
    return to && enc ? [{ to, enc }] : []
  })
}

/** The phone `part.to` decrypts; a contact confirms delivery, the sender's own phone only takes note. */
async function readAtPhone(
  world: World,
  sender: DeviceAddress,
  node: BinaryNode,
  { to: { phone }, enc }: Part,
  usesLid: boolean,
): Promise<void> {
  const { id = '' } = node.attrs
  const from = sender.phone.number
  const encryption: CiphertextType = enc.attrs['type'] === 'pkmsg' ? 'pkmsg' : 'msg'
  const isOwnPhone = phone === sender.phone
  const message = await decryptAt(world, phone, sender, { type: encryption, body: bytesOf(enc) ?? Buffer.alloc(0) })
  if (!message || (!isOwnPhone && world.faults.take('ask_retry', from))) {
    world.events.emit({ type: 'message.undecryptable', phone: from, to: phone.number, messageId: id })
    if (!isOwnPhone) sendRetryReceipt(world, sender, phone, { node, enc })
    return
  }
  const toSelf = isOwnPhone && isForOneself(world, phone, message)
  if (isOwnPhone && !toSelf) {
    world.mailbox.addOwnCopy(from, id)
    return
  }
  const text = textOf(message.deviceSentMessage?.message ?? message)
  world.mailbox.addReceived({ id, from, to: phone.number, toSelf, text, encryption, usesLid, atMs: Date.now() })
  world.events.emit({ type: 'message.received', phone: from, to: phone.number, messageId: id, encryption })
  if (!isOwnPhone) sendReceiptTo(world, sender, phone, { messageId: id, usesLid })
}

async function decryptAt(
  world: World,
  phone: Phone,
  sender: DeviceAddress,
  ciphertext: { readonly type: CiphertextType; readonly body: Buffer },
): Promise<proto.Message | undefined> {
  try {
    const padded = await world.signalOf(phone).decrypt(signalAddress(sender.phone, sender.deviceId), ciphertext)
    return proto.Message.decode(unpadRandomMax16(padded))
  } catch {
    // Why it failed is between the two libsignals; the sender is asked to send again, as a phone does.
    return undefined
  }
}

function isForOneself(world: World, phone: Phone, message: proto.Message): boolean {
  const destination = message.deviceSentMessage?.destinationJid
  return destination != null && world.directory.findByJid(destination)?.phone === phone
}

function textOf(message: proto.IMessage): string | undefined {
  return message.extendedTextMessage?.text ?? message.conversation ?? undefined
}

/** The service passes the ciphertext on; only the device can read it. */
function relayToDevice(
  world: World,
  sender: DeviceAddress,
  node: BinaryNode,
  { to, enc }: Part,
  usesLid: boolean,
): void {
  const companion = companionOf(to.phone, to.deviceId)
  if (!companion) return
  const { id = '', type = 'text' } = node.attrs
  const jidOf = usesLid ? lidJid : pnJid
  const otherJidOf = usesLid ? pnJid : lidJid
  const other = usesLid ? 'pn' : 'lid'
  const recipient = world.directory.findByJid(node.attrs['to'])?.phone
  const attrs = {
    id,
    type,
    t: unixSeconds(),
    addressing_mode: usesLid ? 'lid' : 'pn',
    from: jidOf(sender.phone, sender.deviceId),
    ...(to.phone === sender.phone && recipient
      ? { recipient: jidOf(recipient), [`peer_recipient_${other}`]: otherJidOf(recipient) }
      : { [`sender_${other}`]: otherJidOf(sender.phone), notify: sender.phone.name }),
  }
  const identity = childNamed(node, 'device-identity')
  const relayed = stanza('message', attrs, identity ? [enc, identity] : [enc])
  deliver(world, to.phone, companion, { id, kind: 'message', node: relayed, attempts: 1, supersededNacks: 0 })
}
