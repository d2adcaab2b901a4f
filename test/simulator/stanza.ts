import { S_WHATSAPP_NET, type BinaryNode } from '@whiskeysockets/baileys'

/** Builds a stanza or a part of one; attributes that are undefined are left out. */
export function stanza(
  tag: string,
  attrs: Readonly<Record<string, string | undefined>> = {},
  content?: BinaryNode[] | Buffer,
): BinaryNode {
  const present: Record<string, string> = {}
  for (const [name, value] of Object.entries(attrs)) if (value !== undefined) present[name] = value
  return content === undefined ? { tag, attrs: present } : { tag, attrs: present, content }
}

/** The empty or filled answer to a query. */
export function iqResult(query: BinaryNode, content?: BinaryNode[]): BinaryNode {
  return stanza('iq', { from: S_WHATSAPP_NET, type: 'result', id: query.attrs['id'] }, content)
}

/** An answer that makes the client's query reject; `code` as in HTTP. */
export function iqError(query: BinaryNode, code: number, text: string): BinaryNode {
  return stanza('iq', { from: S_WHATSAPP_NET, type: 'error', id: query.attrs['id'] }, [
    stanza('error', { code: String(code), text }),
  ])
}

/** The acknowledgement of a message, receipt or notification of the client. */
export function ackOf(node: BinaryNode, extra: Readonly<Record<string, string | undefined>> = {}): BinaryNode {
  const { id, to, type } = node.attrs
  return stanza('ack', { class: node.tag, id, from: to, ...(node.tag === 'message' ? {} : { type }), ...extra })
}

export function children(node: BinaryNode | undefined): readonly BinaryNode[] {
  return Array.isArray(node?.content) ? node.content : []
}

export function childNamed(node: BinaryNode | undefined, tag: string): BinaryNode | undefined {
  return children(node).find((child) => child.tag === tag)
}

/** The bytes inside the child `tag`; text content counts as its UTF-8 bytes. */
export function childBytes(node: BinaryNode | undefined, tag: string): Buffer | undefined {
  return bytesOf(childNamed(node, tag))
}

export function bytesOf(node: BinaryNode | undefined): Buffer | undefined {
  const content = node?.content
  if (typeof content === 'string') return Buffer.from(content, 'utf8')
  return content instanceof Uint8Array ? Buffer.from(content) : undefined
}

/** A big-endian unsigned integer of `length` bytes, as keys carry their ids (3) and registration ids (4). */
export function uintBytes(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  bytes.writeUIntBE(value, 0, length)
  return bytes
}

export function childUint(node: BinaryNode | undefined, tag: string): number | undefined {
  const bytes = childBytes(node, tag)
  return bytes && bytes.length > 0 && bytes.length <= 6 ? bytes.readUIntBE(0, bytes.length) : undefined
}

export function unixSeconds(): string {
  return String(Math.floor(Date.now() / 1000))
}
