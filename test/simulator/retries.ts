import type { BinaryNode } from '@whiskeysockets/baileys'
import { bundleNodes, readBundle } from './bundle-stanza.ts'
import { deliver, isMessage } from './delivery.ts'
import type { DeviceAddress } from './directory.ts'
import { encryptAgain, signalAddress } from './messages.ts'
import { companionOf, lidJid, LID_SERVER, pnJid, type Companion, type Phone, type QueuedStanza } from './phone.ts'
import { takeBundle } from './prekeys.ts'
import { childNamed, children, stanza, uintBytes, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** Encryptions of one message, the first included; Baileys asks for as many (`maxMsgRetryCount`). */
const ATTEMPTS_MAX = 5

interface Login {
  readonly phone: string
  readonly deviceId: number
}

/** A linked device could not read a message: it gets the message again under a new session, `ATTEMPTS_MAX` times at most. */
export async function serveRetry(world: World, login: Login, receipt: BinaryNode, messageId: string): Promise<void> {
  const phone = world.directory.find(login.phone)
  const companion = phone && companionOf(phone, login.deviceId)
  if (!phone || !companion) return
  const queued = findMessage(companion, messageId)
  const refuse = (why: string): void =>
    world.events.emit({ type: 'retry.refused', phone: phone.number, messageId, why })
  if (!queued) {
    refuse('no message with this id is waiting')
  } else if (queued.attempts >= ATTEMPTS_MAX) {
    refuse(`it was sent ${queued.attempts} times already`)
  } else if (queued.source) {
    await sendAgain(world, phone, companion, receipt, queued)
  } else {
    askWriter(world, { phone, deviceId: companion.deviceId }, receipt, queued)
  }
}

/**
 * After each retry receipt Baileys refuses the attempt that it could not read (an ack with an error); that refusal is
 * not one of the newer attempt. Returns whether this was one.
 */
export function takeSupersededNack(world: World, login: Login, messageId: string): boolean {
  const phone = world.directory.find(login.phone)
  const companion = phone && companionOf(phone, login.deviceId)
  const queued = companion && findMessage(companion, messageId)
  if (!queued || queued.supersededNacks === 0) return false
  queued.supersededNacks -= 1
  world.changed()
  return true
}

/** A phone could not read a message and asks the linked device to send it again, with the keys for a new session. */
export function sendRetryReceipt(
  world: World,
  { phone: account, deviceId }: DeviceAddress,
  by: Phone,
  message: { readonly node: BinaryNode; readonly enc: BinaryNode },
): void {
  const companion = companionOf(account, deviceId)
  const { id = '', to = '' } = message.node.attrs
  const count = Number(message.enc.attrs['count'] ?? '0') + 1
  if (!companion || count >= ATTEMPTS_MAX) return
  const signal = world.signalOf(by)
  signal.closeSession(signalAddress(account, deviceId))
  const bundle = signal.makeBundle()
  const t = unixSeconds()
  const from = to.endsWith(`@${LID_SERVER}`) ? lidJid(by) : pnJid(by)
  const node = stanza('receipt', { from, id, type: 'retry', t }, [
    stanza('retry', { count: String(count), id, t, v: '1' }),
    stanza('registration', {}, uintBytes(bundle.registrationId, 4)),
    stanza(
      'keys',
      {},
      bundleNodes(bundle).filter(({ tag }) => tag !== 'registration'),
    ),
  ])
  deliver(world, account, companion, { id, kind: 'receipt', node, attempts: 1, supersededNacks: 0 })
}

/** The new session comes from the keys in the receipt, or, as the first receipt has none, from those on the service. */
async function sendAgain(
  world: World,
  phone: Phone,
  companion: Companion,
  receipt: BinaryNode,
  queued: QueuedStanza,
): Promise<void> {
  if (!queued.source) return
  const signal = world.signalOf(world.directory.get(queued.source.from))
  const bundle = readBundle(receipt, childNamed(receipt, 'keys')) ?? takeBundle(world, phone, companion)
  await signal.startSession(signalAddress(phone, companion.deviceId), bundle)
  const { participant, from: group } = queued.node.attrs
  if (participant !== undefined && group !== undefined) {
    world.senderKeys.takeBack(group, world.directory.get(queued.source.from), signalAddress(phone, companion.deviceId))
  }
  const attempt = queued.attempts + 1
  queued.node = await encryptAgain(world, { phone, companion }, queued.source, queued.node, attempt)
  queued.attempts = attempt
  queued.supersededNacks += 1
  world.changed()
  const { deviceId } = companion
  world.events.emit({ type: 'retry.served', phone: phone.number, deviceId, messageId: queued.id, attempt })
  world.onlineConnection(phone, companion)?.send(queued.node)
}

/** The writer is another linked device: it alone has the text, so the receipt goes to it. */
function askWriter(world: World, asker: DeviceAddress, receipt: BinaryNode, queued: QueuedStanza): void {
  const writer = world.directory.findByJid(queued.node.attrs['from'])
  const companion = writer && companionOf(writer.phone, writer.deviceId)
  if (!writer || !companion) return
  const usesLid = queued.node.attrs['addressing_mode'] === 'lid'
  const from = (usesLid ? lidJid : pnJid)(asker.phone, asker.deviceId)
  const attrs = { ...receipt.attrs, to: undefined, from, t: unixSeconds() }
  const node = stanza('receipt', attrs, [...children(receipt)])
  queued.attempts += 1
  queued.supersededNacks += 1
  deliver(world, writer.phone, companion, { id: queued.id, kind: 'receipt', node, attempts: 1, supersededNacks: 0 })
}

function findMessage(companion: Companion, messageId: string): QueuedStanza | undefined {
  return companion.queue.find((queued) => isMessage(queued) && queued.id === messageId)
}
