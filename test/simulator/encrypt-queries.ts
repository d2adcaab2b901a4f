import type { BinaryNode } from '@whiskeysockets/baileys'
import { bundleNodes, readBundle, readPreKeyList, readSignedPreKey } from './bundle-stanza.ts'
import type { Connection } from './connection.ts'
import { companionOf, type Companion } from './phone.ts'
import { takeBundle } from './prekeys.ts'
import { childNamed, children, iqResult, stanza } from './stanza.ts'
import type { World } from './world.ts'

/** The queries about Signal keys: how many are left, uploads, those of others. */
export function answerEncrypt(
  world: World,
  connection: Connection,
  companion: Companion,
  query: BinaryNode,
): BinaryNode {
  const [request] = children(query)
  switch (request?.tag) {
    case 'count': {
      const { reportedPreKeys } = world.behaviour
      const value = reportedPreKeys === 'real' ? companion.preKeys.length : reportedPreKeys
      return iqResult(query, [stanza('count', { value: String(value) })])
    }
    case 'digest':
      // Any digest means "your keys are known"; its content is not looked at.
      return iqResult(query, [stanza('digest')])
    case 'key':
      return iqResult(query, [
        stanza(
          'list',
          {},
          children(request).flatMap((user) => keysOf(world, user) ?? []),
        ),
      ])
    case 'rotate':
      companion.signedPreKey = readSignedPreKey(childNamed(request, 'skey')) ?? companion.signedPreKey
      world.changed()
      return iqResult(query)
    default:
      if (query.attrs['type'] === 'set') takeUpload(world, connection, companion, query)
      return iqResult(query)
  }
}

function takeUpload(world: World, { login }: Connection, companion: Companion, query: BinaryNode): void {
  const uploaded = readPreKeyList(childNamed(query, 'list'))
  const known = new Set(companion.preKeys.map(([id]) => id))
  for (const { id, key } of uploaded) if (!known.has(id)) companion.preKeys.push([id, key.toString('base64')])
  const bundle = readBundle(query, query)
  if (bundle) {
    companion.registrationId = bundle.registrationId
    companion.signedPreKey = bundle.signedPreKey
  }
  world.changed()
  if (login) world.events.emit({ type: 'prekeys.uploaded', ...login, count: uploaded.length })
}

/** The keys of one device; a device that was unlinked meanwhile is left out. */
function keysOf(world: World, user: BinaryNode): BinaryNode | undefined {
  const jid = user.attrs['jid']
  const found = world.directory.findByJid(jid)
  if (!found) return undefined
  if (found.deviceId === 0) return stanza('user', { jid }, bundleNodes(world.signalOf(found.phone).makeBundle()))
  const companion = companionOf(found.phone, found.deviceId)
  return companion && stanza('user', { jid }, bundleNodes(takeBundle(world, found.phone, companion)))
}
