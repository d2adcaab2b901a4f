import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { runInNewContext } from 'node:vm'
import { proto as stockProto } from '@whiskeysockets/baileys'
import t from 'tap'
import { makeTypesLazy } from '../../../../worker/bundle/lazy-proto.ts'

/** What each generated type has. */
interface MessageType {
  create(properties?: object): object
  encode(message: object): { finish(): Uint8Array }
  decode(bytes: Uint8Array): object
  fromObject(object: object): object
  toObject(message: object, options?: object): Record<string, unknown>
}
type Node = Record<string, unknown>

const source = readFileSync(
  fileURLToPath(import.meta.resolve('@whiskeysockets/baileys')).replace(/lib[\\/]index\.js$/, 'WAProto/index.js'),
  'utf8',
)

/** The rewritten types, in a registry of their own: protobufjs keeps one for each `roots` name. */
async function loadLazy(t: { testdir: () => string }): Promise<Node> {
  const { code } = makeTypesLazy(source.replaceAll('roots["default"]', 'roots["lazy"]'))
  const path = join(t.testdir(), 'lazy.mjs')
  await writeFile(path, code)
  return ((await import(pathToFileURL(path).href)) as { proto: Node }).proto
}

const isMessageType = (value: unknown): value is MessageType & Node => typeof value === 'function' && 'decode' in value

/** Every type and enum of both, by its path. */
function* pairsOf(stock: Node, lazy: Node, path = 'proto'): Generator<[string, Node, Node]> {
  for (const name of Object.keys(stock)) {
    if (!/^[A-Z]/.test(name)) continue
    const [a, b] = [stock[name] as Node, lazy[name] as Node]
    yield [`${path}.${name}`, a, b]
    if (isMessageType(a)) yield* pairsOf(a, b, `${path}.${name}`)
  }
}

/** Bytes that are a message of many types: fields of low numbers, of a kind that a decoder may take or refuse. */
function randomMessage(random: () => number): Uint8Array {
  const bytes: number[] = []
  for (let count = 1 + Math.floor(random() * 4); count > 0; count--) {
    const field = 1 + Math.floor(random() * 15)
    if (random() < 0.5) bytes.push(field << 3, Math.floor(random() * 128))
    else {
      const inner = Array.from({ length: Math.floor(random() * 4) }, () => Math.floor(random() * 128))
      bytes.push((field << 3) | 2, inner.length, ...inner)
    }
  }
  return Uint8Array.from(bytes)
}

/** What a type makes of the bytes: the object, the bytes again and the object's JSON, or the error. */
function readBy(type: MessageType, bytes: Uint8Array): unknown {
  try {
    const message = type.decode(bytes)
    const again = Buffer.from(type.encode(type.fromObject(type.toObject(message))).finish()).toString('hex')
    return {
      again,
      json: JSON.stringify(message),
      all: type.toObject(message, { defaults: true, longs: String, enums: String }),
    }
  } catch (error) {
    return error instanceof Error ? error.message : error
  }
}

await t.test('the lazy types are the same types', async (t) => {
  const lazy = await loadLazy(t)
  const stock = stockProto as unknown as Node
  t.strictSame(Object.keys(lazy), Object.keys(stock), 'all are there, also to whoever lists them')
  let seed = 1
  const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647
  let types = 0
  let enums = 0
  for (const [path, a, b] of pairsOf(stock, lazy)) {
    if (!isMessageType(a)) {
      enums++
      t.strictSame(JSON.stringify(b), JSON.stringify(a), path)
      continue
    }
    types++
    if (!isMessageType(b)) {
      t.fail(`${path} is no message type`)
      continue
    }
    for (let round = 0; round < 20; round++) {
      const bytes = randomMessage(random)
      const [wanted, found] = [readBy(a, bytes), readBy(b, bytes)]
      if (JSON.stringify(wanted) !== JSON.stringify(found)) {
        t.strictSame(found, wanted, `${path} of ${Buffer.from(bytes).toString('hex')}`)
      }
    }
  }
  t.equal(types + enums, makeTypesLazy(source).types, 'every type that was rewritten was compared')
  t.ok(types > 400 && enums > 100, `${types} types, ${enums} enums`)
})

await t.test('a type is made with the first look at it, once', async (t) => {
  const made: string[] = []
  const { code } = makeTypesLazy(
    ['const proto = {};', 'proto.A = (function() {', '    made.push("A");', '    return { of: "A" };', '})();'].join(
      '\n',
    ),
  )
  const proto = runInNewContext(`${code}\nproto`, { made }) as { A: unknown }
  t.strictSame(made, [])
  t.equal(proto.A, proto.A)
  t.strictSame(made, ['A'])
  t.match(Object.getOwnPropertyDescriptor(proto, 'A'), { enumerable: true, writable: true, value: { of: 'A' } })
})

await t.test('what does not look as the generator writes it is refused', async (t) => {
  t.throws(() => makeTypesLazy('export const proto = {}'), { message: /0 types found/ })
  t.throws(() => makeTypesLazy('proto.A = (function() {\n    return 1;\n'), { message: /1 of them without an end/ })
})
