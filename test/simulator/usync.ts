import type { BinaryNode } from '@whiskeysockets/baileys'
import { lidJid, PN_SERVER, pnJid, type Phone } from './phone.ts'
import { bytesOf, childNamed, children, iqResult, stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/**
 * Looks people up: which devices they have, their LID, whether they are on WhatsApp.
 * Everybody is, unless listed in `notOnWhatsApp`; and everybody gets a LID, for without one Baileys can't encrypt to them.
 */
export function answerUsync(world: World, query: BinaryNode): BinaryNode {
  const usync = childNamed(query, 'usync')
  const protocols = children(childNamed(usync, 'query')).map(({ tag }) => tag)
  const users = children(childNamed(usync, 'list')).flatMap((user) => answerUser(world, user, protocols) ?? [])
  const { sid, mode, context } = usync?.attrs ?? {}
  return iqResult(query, [
    stanza('usync', { sid, mode, context, index: '0', last: 'true' }, [
      stanza(
        'result',
        {},
        protocols.map((protocol) => stanza(protocol)),
      ),
      stanza('list', {}, users),
    ]),
  ])
}

function answerUser(world: World, user: BinaryNode, protocols: readonly string[]): BinaryNode | undefined {
  const askedNumber = bytesOf(childNamed(user, 'contact'))?.toString().replace(/^\+/, '')
  const askedJid = user.attrs['jid'] ?? (askedNumber === undefined ? undefined : `${askedNumber}@${PN_SERVER}`)
  const found = world.directory.findByJid(askedJid)
  if (!found) return undefined
  const { phone } = found
  const isOnWhatsApp = !world.behaviour.notOnWhatsApp.has(phone.number)
  const answers = protocols.flatMap((protocol) => answerProtocol(phone, protocol, isOnWhatsApp) ?? [])
  return stanza('user', { jid: user.attrs['jid'] ?? pnJid(phone) }, answers)
}

function answerProtocol(phone: Phone, protocol: string, isOnWhatsApp: boolean): BinaryNode | undefined {
  switch (protocol) {
    case 'contact':
      return stanza('contact', { type: isOnWhatsApp ? 'in' : 'out' })
    case 'lid':
      return isOnWhatsApp ? stanza('lid', { val: lidJid(phone) }) : undefined
    case 'devices':
      return isOnWhatsApp ? devicesOf(phone) : undefined
    default:
      // Status texts, user names and the like: nobody has any.
      return undefined
  }
}

/** Baileys drops linked devices without a key index. */
function devicesOf(phone: Phone): BinaryNode {
  const linked = phone.companions.map(({ deviceId, keyIndex }) =>
    stanza('device', { id: String(deviceId), 'key-index': String(keyIndex) }),
  )
  return stanza('devices', {}, [
    stanza('device-list', {}, [stanza('device', { id: '0' }), ...linked]),
    stanza('key-index-list', { ts: unixSeconds() }),
  ])
}
