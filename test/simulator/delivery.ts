import { stanza } from './stanza.ts'
import type { Connection } from './connection.ts'
import { companionOf, type Companion, type Phone, type QueuedStanza } from './phone.ts'
import type { World } from './world.ts'

/** Keeps a stanza for the device until it is confirmed, and sends it now when the device is online. */
export function deliver(world: World, phone: Phone, companion: Companion, queued: QueuedStanza): void {
  companion.queue.push(queued)
  world.changed()
  world.onlineConnection(phone, companion)?.send(queued.node)
}

/**
 * Sends what is waiting, oldest first, framed as after an absence: preview, stanzas marked offline, end.
 * What the phone itself sends at the first login comes after the end: earlier the client does not await it yet.
 */
export function deliverWaiting(connection: Connection, companion: Companion): void {
  const waiting = companion.queue.filter(({ kind }) => kind !== 'peer_message')
  const count = (...kinds: QueuedStanza['kind'][]): string =>
    String(waiting.filter(({ kind }) => kinds.includes(kind)).length)
  connection.send(
    stanza('ib', {}, [
      stanza('offline_preview', {
        count: String(waiting.length),
        message: count('message'),
        receipt: count('receipt'),
        notification: count('notification'),
        appdata: '0',
      }),
    ]),
  )
  for (const { node } of waiting) connection.send({ ...node, attrs: { ...node.attrs, offline: '0' } })
  connection.send(stanza('ib', {}, [stanza('offline', { count: String(waiting.length) })]))
  for (const { kind, node } of companion.queue) if (kind === 'peer_message') connection.send(node)
}

/** Forgets what the device confirmed; returns whether there was something. */
export function confirm(
  world: World,
  login: { readonly phone: string; readonly deviceId: number },
  isConfirmed: (queued: QueuedStanza) => boolean,
): boolean {
  const phone = world.directory.find(login.phone)
  const companion = phone && companionOf(phone, login.deviceId)
  const before = companion?.queue.length ?? 0
  if (!companion || before === 0) return false
  companion.queue = companion.queue.filter((queued) => !isConfirmed(queued))
  if (companion.queue.length === before) return false
  world.changed()
  if (companion.queue.length === 0) world.events.emit({ type: 'queue.emptied', ...login })
  return true
}

export function isMessage(queued: QueuedStanza): boolean {
  return queued.kind === 'message' || queued.kind === 'peer_message'
}
