import type { BinaryNode } from '@whiskeysockets/baileys'
import type { Connection } from './connection.ts'
import { confirm, deliver, isMessage } from './delivery.ts'
import type { DeviceAddress } from './directory.ts'
import { companionOf, lidJid, LID_SERVER, pnJid, type Phone } from './phone.ts'
import { serveRetry, takeSupersededNack } from './retries.ts'
import { ackOf, childNamed, children, stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** A linked device confirms messages, or asks to have one again. */
export async function handleReceipt(world: World, connection: Connection, node: BinaryNode): Promise<void> {
  connection.send(ackOf(node))
  const { login } = connection
  const { id, type = 'delivered' } = node.attrs
  if (!login || id === undefined) return
  const more = children(childNamed(node, 'list')).map((item) => item.attrs['id'])
  const ids = [id, ...more].filter((value) => value !== undefined)
  for (const messageId of ids) {
    world.mailbox.addReceipt(messageId, { ...login, type, atMs: Date.now() })
    world.events.emit({ type: 'receipt.received', ...login, messageId, receipt: type })
  }
  if (type === 'retry') {
    await serveRetry(world, login, node, id)
    return
  }
  if (isAwaited(world, login, ids) && world.faults.take('forget_receipt', login.phone)) return
  confirm(world, login, (queued) => isMessage(queued) && ids.includes(queued.id))
  tellWriter(world, login.phone, node, ids)
}

/** Whether a contact's message waits for this receipt; what the own phone sends to its device at a login does not count. */
function isAwaited(world: World, login: { readonly phone: string; readonly deviceId: number }, ids: string[]): boolean {
  const phone = world.directory.find(login.phone)
  const queue = (phone && companionOf(phone, login.deviceId)?.queue) ?? []
  return queue.some(({ kind, id }) => kind === 'message' && ids.includes(id))
}

/** A linked device acknowledges, or refuses, what the service sent it. */
export function handleAck(world: World, { login }: Connection, node: BinaryNode): void {
  const { id, class: kind, type, error } = node.attrs
  if (!login || id === undefined) return
  switch (kind) {
    case 'message':
      if (error !== undefined) {
        world.events.emit({ type: 'nack.received', ...login, messageId: id, code: Number(error) })
        if (takeSupersededNack(world, login, id)) return
      }
      confirm(world, login, (queued) => isMessage(queued) && queued.id === id)
      return
    case 'receipt':
      confirm(
        world,
        login,
        (queued) => queued.kind === 'receipt' && queued.id === id && queued.node.attrs['type'] === type,
      )
      return
    case 'notification':
      confirm(world, login, (queued) => queued.kind === 'notification' && queued.id === id)
      return
    default:
      return
  }
}

/** A phone confirms to a linked device that its message arrived, or was read. */
export function sendReceiptTo(
  world: World,
  { phone: account, deviceId }: DeviceAddress,
  by: Phone,
  receipt: { readonly messageId: string; readonly usesLid: boolean; readonly type?: 'read' },
): void {
  const companion = companionOf(account, deviceId)
  if (!companion) return
  const from = receipt.usesLid ? lidJid(by) : pnJid(by)
  const node = stanza('receipt', { from, id: receipt.messageId, type: receipt.type, t: unixSeconds() })
  deliver(world, account, companion, { id: receipt.messageId, kind: 'receipt', node, attempts: 1, supersededNacks: 0 })
}

/**
 * The writer's devices learn what a reader's device confirmed. A delivery goes to the device that wrote,
 * which the receipt names; a read receipt names the person only, and goes to all.
 */
function tellWriter(world: World, readerNumber: string, receipt: BinaryNode, ids: readonly string[]): void {
  const { type, to } = receipt.attrs
  if (type !== undefined && type !== 'read' && type !== 'inactive') return
  const writer = world.directory.findByJid(to)
  const reader = world.directory.find(readerNumber)
  if (!writer || !reader || writer.phone === reader) return
  const usesLid = to?.endsWith(`@${LID_SERVER}`) ?? false
  for (const { deviceId } of writer.phone.companions) {
    if (writer.deviceId === 0 ? type !== 'read' : writer.deviceId !== deviceId) continue
    for (const messageId of ids) {
      const address = { phone: writer.phone, deviceId }
      sendReceiptTo(world, address, reader, { messageId, usesLid, ...(type === 'read' ? { type } : {}) })
    }
  }
}
