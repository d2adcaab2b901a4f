import { S_WHATSAPP_NET } from '@whiskeysockets/baileys'
import { deliver } from './delivery.ts'
import { makeMessageId } from './message-id.ts'
import type { Companion, Phone } from './phone.ts'
import type { PreKeyBundle } from './signal-phone.ts'
import { stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** At this many keys left the service asks for more. Baileys uploads when the number it is told is below 5. */
const LOW_PREKEYS = 2

/**
 * The keys with which a session with this device is started. Takes one of its one-time keys, when one is left,
 * and tells the device when they run low.
 */
export function takeBundle(world: World, phone: Phone, companion: Companion): PreKeyBundle {
  const oneTime = companion.preKeys.shift()
  world.changed()
  if (oneTime && companion.preKeys.length <= LOW_PREKEYS) askForPreKeys(world, phone, companion)
  return {
    registrationId: companion.registrationId,
    identityKey: companion.identityKey,
    signedPreKey: companion.signedPreKey,
    preKey: oneTime && { id: oneTime[0], key: Buffer.from(oneTime[1], 'base64') },
  }
}

function askForPreKeys(world: World, phone: Phone, companion: Companion): void {
  if (companion.queue.some(({ kind }) => kind === 'notification')) return
  const id = makeMessageId()
  const node = stanza('notification', { from: S_WHATSAPP_NET, type: 'encrypt', id, t: unixSeconds() }, [
    stanza('count', { value: String(companion.preKeys.length) }),
  ])
  deliver(world, phone, companion, { id, kind: 'notification', node, attempts: 1, supersededNacks: 0 })
}
