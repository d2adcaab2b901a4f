import { stanza, unixSeconds } from './stanza.ts'
import type { Connection, Hello } from './connection.ts'
import { deliverWaiting } from './delivery.ts'
import { strike } from './fault-actions.ts'
import { sendFirstSync } from './history.ts'
import { companionOf, lidJid } from './phone.ts'
import type { World } from './world.ts'

const UNLINKED = 401

/**
 * A client says that it is device D of phone P. It is when P has linked such a device with this Noise key; otherwise, as
 * after an unlink, it gets `<failure reason="401">`.
 */
export function logIn(world: World, connection: Connection, { clientKey, payload }: Hello): void {
  const phoneNumber = String(payload.username ?? '')
  const deviceId = payload.device ?? 0
  connection.state = 'logging_in'
  connection.login = { phone: phoneNumber, deviceId }
  const fault = world.faults.takeFor('login', phoneNumber)
  if (fault) {
    if (fault.kind === 'fail_login') refused(fault.reason)
    strike(connection, fault)
    return
  }
  const phone = world.directory.find(phoneNumber)
  const companion = phone && companionOf(phone, deviceId)
  if (!phone || !companion?.noiseKey.equals(clientKey)) {
    refused(UNLINKED)
    connection.end(stanza('failure', { reason: String(UNLINKED) }))
    return
  }
  if (world.faults.take('no_success', phoneNumber)) {
    connection.silence()
    return
  }
  // Logged in is nobody here, but pings are answered: a connection that looks alive for ever.
  if (world.faults.take('stall_login', phoneNumber)) return
  world.claim(phone, companion, connection)
  connection.send(
    stanza('success', { t: unixSeconds(), props: '2', abprops: '1', location: 'sim', lid: lidJid(phone, deviceId) }),
  )

  function refused(reason: number): void {
    world.events.emit({ type: 'login.refused', connectionId: connection.id, phone: phoneNumber, reason })
  }
}

/** The client has uploaded its keys and wants its messages: what waited, then, the first time, the history. */
export async function activate(world: World, connection: Connection): Promise<void> {
  const { login } = connection
  const phone = login && world.directory.find(login.phone)
  const companion = phone && companionOf(phone, login.deviceId)
  if (!companion || connection.state !== 'logging_in') return
  deliverWaiting(connection, companion)
  connection.state = 'online'
  world.events.emit({ type: 'device.online', connectionId: connection.id, ...login })
  if (!companion.historySent) await sendFirstSync(world, phone, companion)
  const fault = world.faults.takeFor('online', login.phone)
  if (fault) strike(connection, fault)
}
