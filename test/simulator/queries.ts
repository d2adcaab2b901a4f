import type { BinaryNode } from '@whiskeysockets/baileys'
import { answerAppState } from './app-state.ts'
import type { Connection } from './connection.ts'
import { answerEncrypt } from './encrypt-queries.ts'
import { activate } from './login.ts'
import { companionOf, type Companion, type Phone } from './phone.ts'
import { children, iqError, iqResult, stanza } from './stanza.ts'
import { answerUsync } from './usync.ts'
import type { World } from './world.ts'

/** Everybody may see and do everything; Baileys needs the list not to be empty. */
const PRIVACY_CATEGORIES = ['readreceipts', 'last', 'online', 'profile', 'status', 'groupadd', 'calladd'] as const

/** Answers a query of a logged-in device. What is not known gets an empty result, on which clients live. */
export async function handleQuery(world: World, connection: Connection, query: BinaryNode): Promise<void> {
  const { login } = connection
  const phone = login && world.directory.find(login.phone)
  const companion = phone && companionOf(phone, login.deviceId)
  if (!phone || !companion) return
  const { xmlns = '' } = query.attrs
  const [request] = children(query)
  world.events.emit({ type: 'query.received', phone: phone.number, xmlns, name: request?.tag ?? '' })
  if (isIgnored(world, phone, xmlns)) return
  const isActive = xmlns === 'passive' && request?.tag === 'active'
  if (isActive && world.faults.take('refuse_active', phone.number) !== undefined) {
    return connection.send(iqError(query, 500, 'internal-server-error'))
  }
  const answer = answerTo(world, connection, phone, companion, query, request)
  connection.send(answer)
  if (isActive) await activate(world, connection)
  if (xmlns === 'md' && request?.tag === 'remove-companion-device') world.unlink(phone, companion, 'device')
}

function isIgnored(world: World, { number }: Phone, xmlns: string): boolean {
  switch (xmlns) {
    case 'w:p':
      return world.faults.take('ignore_pings', number) !== undefined
    case 'encrypt':
      return world.faults.take('ignore_encrypt', number) !== undefined
    case 'usync':
      return world.faults.take('ignore_usync', number) !== undefined
    default:
      return false
  }
}

function answerTo(
  world: World,
  connection: Connection,
  phone: Phone,
  companion: Companion,
  query: BinaryNode,
  request: BinaryNode | undefined,
): BinaryNode {
  switch (query.attrs['xmlns']) {
    case 'encrypt':
      return answerEncrypt(world, connection, companion, query)
    case 'usync':
      return answerUsync(world, query)
    case 'w:sync:app:state':
      return answerAppState(world, phone, query)
    case 'abt':
      return iqResult(query, [stanza('props', { hash: 'simulator' })])
    case 'blocklist':
      return iqResult(query, [stanza('list')])
    case 'privacy':
      return request?.tag === 'privacy' ? iqResult(query, [privacySettings()]) : iqResult(query)
    case 'w:m':
      return iqResult(query, [stanza('media_conn', { auth: 'none', ttl: '3600', max_buckets: '0' }, mediaHosts(world))])
    case 'w:g2':
      return request?.tag === 'participating'
        ? iqResult(query, [stanza('groups')])
        : iqError(query, 404, 'item-not-found')
    default:
      return iqResult(query)
  }
}

function mediaHosts({ behaviour }: World): BinaryNode[] {
  const hostname = behaviour.mediaHost()
  return hostname === undefined ? [] : [stanza('host', { hostname })]
}

function privacySettings(): BinaryNode {
  return stanza(
    'privacy',
    {},
    PRIVACY_CATEGORIES.map((name) => stanza('category', { name, value: 'all' })),
  )
}
