import { randomBytes } from 'node:crypto'
import { initAuthCreds, type BinaryNode } from '@whiskeysockets/baileys'
import t from 'tap'
import { Stanzas } from '../../../../worker/socket/stanzas.ts'

const ME = { id: '40700000001:7@s.whatsapp.net', lid: '111:7@lid' }
const stanzas = (): Stanzas => new Stanzas(() => ({ ...initAuthCreds(), me: ME }))
const enc = (type: string): BinaryNode => ({ tag: 'enc', attrs: { type, v: '2' }, content: randomBytes(20) })
const bytes = (node: BinaryNode): Uint8Array => node.content as Uint8Array
const message = (attrs: Record<string, string>, ...content: BinaryNode[]): BinaryNode => ({
  tag: 'message',
  attrs: { id: 'A', from: '222@lid', ...attrs },
  content,
})

t.test('a ciphertext is known by its bytes, with the message that it came with', async (t) => {
  const book = stanzas()
  const [first, second] = [enc('pkmsg'), enc('skmsg')]
  const noted = book.note(message({ from: '5@g.us', participant: '222@lid' }, first, second))
  t.strictSame(noted, [bytes(first), bytes(second)])
  t.match(book.of(bytes(first)), { id: 'A', left: 2 })
  t.equal(book.of(bytes(first)), book.of(bytes(second)), 'one message')
  t.equal(book.of(Buffer.from(bytes(first))), undefined, 'equal bytes of elsewhere are not these')
})

t.test('another delivery of the message has the same name, every other message another', async (t) => {
  const nameOf = (attrs: Record<string, string>): string | undefined => {
    const book = stanzas()
    const only = enc('msg')
    book.note(message(attrs, only))
    return book.of(bytes(only))?.stanza
  }
  const name = nameOf({})
  t.equal(nameOf({ offline: '0', t: '5' }), name)
  t.not(nameOf({ id: 'B' }), name)
  t.not(nameOf({ from: '333@lid' }), name)
  t.not(nameOf({ participant: '333@lid' }), name)
  t.notMatch(name, /222/, 'nobody can be read from it')
})

t.test('what the own phone and other own devices write goes straight through', async (t) => {
  const own: Record<string, string>[] = [
    { from: '40700000001@s.whatsapp.net', recipient: '222@lid' },
    { from: '111:3@lid' },
    { from: '5@g.us', participant: '111:3@lid' },
    { category: 'peer' },
  ]
  for (const attrs of own) {
    const book = stanzas()
    const only = enc('msg')
    t.strictSame(book.note(message(attrs, only)), [bytes(only)], 'it will be decrypted all the same')
    t.equal(book.of(bytes(only)), undefined, JSON.stringify(attrs))
  }
})

t.test('what Baileys does not decrypt is not waited for', async (t) => {
  const book = stanzas()
  const only = enc('msg')
  t.strictSame(book.note(message({}, enc('msmsg'), enc('msg'))), [], 'refused unread')
  t.strictSame(book.note(message({}, { tag: 'plaintext', attrs: {}, content: randomBytes(3) })), [])
  t.strictSame(book.note({ tag: 'message', attrs: { id: 'A', from: '222@lid' } }), [])
  t.strictSame(book.note(message({ recipient: '333@lid' }, enc('msg'))), [], 'of another, to another')
  t.strictSame(book.note(message({ from: 'nobody' }, enc('msg'))), [])
  t.strictSame(book.note(message({}, only, enc('msmsg'))), [bytes(only)])
  t.match(book.of(bytes(only)), { left: 1 })
})
