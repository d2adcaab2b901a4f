import { proto, type BinaryNode } from '@whiskeysockets/baileys'
import type { Phone } from './phone.ts'
import { bytesOf, childNamed, children, iqResult, stanza } from './stanza.ts'
import type { World } from './world.ts'

/**
 * Syncs the collections of the app state (archived chats, contact names, ...): keeps the patches that devices push and hands
 * them to whoever asks for what came after a version. The patches are encrypted, the service can't read them.
 */
export function answerAppState(world: World, phone: Phone, query: BinaryNode): BinaryNode {
  const collections = children(childNamed(query, 'sync')).map((collection) => {
    const { name = '', version = '0' } = collection.attrs
    const patches = (phone.appState[name] ??= [])
    const pushed = bytesOf(childNamed(collection, 'patch'))
    if (pushed) {
      patches.push(withVersion(pushed, patches.length + 1))
      world.changed()
      return stanza('collection', { name, version: String(patches.length), has_more_patches: 'false' })
    }
    const missing = patches.slice(Number(version))
    const attrs = { name, version: String(patches.length - missing.length), has_more_patches: 'false' }
    if (missing.length === 0) return stanza('collection', attrs)
    return stanza('collection', attrs, [
      stanza(
        'patches',
        {},
        missing.map((patch) => stanza('patch', {}, patch)),
      ),
    ])
  })
  return iqResult(query, [stanza('sync', {}, collections)])
}

/** A device pushes its patch without a version; who gets several at once tells them apart by it. */
function withVersion(patch: Buffer, version: number): Buffer {
  const decoded = proto.SyncdPatch.decode(patch)
  decoded.version = { version }
  return Buffer.from(proto.SyncdPatch.encode(decoded).finish())
}
