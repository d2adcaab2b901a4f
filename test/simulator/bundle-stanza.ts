import { KEY_BUNDLE_TYPE, type BinaryNode } from '@whiskeysockets/baileys'
import type { SignedPreKey } from './phone.ts'
import type { PreKeyBundle } from './signal-phone.ts'
import { bytesOf, childBytes, childNamed, children, childUint, stanza, uintBytes } from './stanza.ts'

/** Key ids have 3 bytes on the wire, registration ids 4. */
const KEY_ID_BYTES = 3
const REGISTRATION_ID_BYTES = 4
const KEY_BYTES = 32

/** The children that describe a device's keys. */
export function bundleNodes(bundle: PreKeyBundle): BinaryNode[] {
  const { signedPreKey, preKey } = bundle
  const nodes = [
    stanza('registration', {}, uintBytes(bundle.registrationId, REGISTRATION_ID_BYTES)),
    stanza('type', {}, KEY_BUNDLE_TYPE),
    stanza('identity', {}, bundle.identityKey),
    stanza('skey', {}, [
      stanza('id', {}, uintBytes(signedPreKey.id, KEY_ID_BYTES)),
      stanza('value', {}, signedPreKey.key),
      stanza('signature', {}, signedPreKey.signature),
    ]),
  ]
  if (preKey) {
    const id = stanza('id', {}, uintBytes(preKey.id, KEY_ID_BYTES))
    nodes.push(stanza('key', {}, [id, stanza('value', {}, preKey.key)]))
  }
  return nodes
}

/** Reads keys from `keys`, and the registration id from `parent`; undefined when something is missing. */
export function readBundle(parent: BinaryNode, keys: BinaryNode | undefined): PreKeyBundle | undefined {
  const registrationId = childUint(parent, 'registration')
  const identityKey = childBytes(keys, 'identity')
  const signedPreKey = readSignedPreKey(childNamed(keys, 'skey'))
  if (registrationId === undefined || identityKey?.length !== KEY_BYTES || !signedPreKey) return undefined
  return { registrationId, identityKey, signedPreKey, preKey: readPreKey(childNamed(keys, 'key')) }
}

export function readSignedPreKey(node: BinaryNode | undefined): SignedPreKey | undefined {
  const key = readPreKey(node)
  const signature = childBytes(node, 'signature')
  return key && signature && { ...key, signature }
}

/** The one-time keys in an upload's `<list>`. */
export function readPreKeyList(list: BinaryNode | undefined): { readonly id: number; readonly key: Buffer }[] {
  return children(list).flatMap((node) => readPreKey(node) ?? [])
}

function readPreKey(node: BinaryNode | undefined): { readonly id: number; readonly key: Buffer } | undefined {
  const id = childUint(node, 'id')
  const key = bytesOf(childNamed(node, 'value'))
  return id !== undefined && key?.length === KEY_BYTES ? { id, key } : undefined
}
