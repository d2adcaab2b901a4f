import { randomBytes, randomInt } from 'node:crypto'
import t from 'tap'
import * as bridge from 'whatsapp-rust-bridge'
import * as standIn from '../../../../worker/bundle/rust-bridge.ts'

const ROUNDS = 200

/** Of any length up to `most`, none included. */
const bytes = (most: number): Buffer => randomBytes(randomInt(most + 1))
const same = (
  t: { fail(message: string, extra: object): void },
  actual: Uint8Array,
  wanted: Uint8Array,
  input: unknown,
): void => {
  if (!Buffer.from(actual).equals(Buffer.from(wanted))) t.fail('other bytes than the bridge', { input })
}

await t.test('md5', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const input = bytes(300)
    same(t, standIn.md5(input), bridge.md5(input), input)
  }
  t.pass()
})

await t.test('hkdf, with and without salt and info, up to the most that there can be', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const input = bytes(100)
    const info = {
      ...(round % 3 === 0 ? {} : { salt: bytes(80) }),
      ...(round % 2 === 0 ? {} : { info: bytes(40).toString('latin1') }),
    }
    const lengthBytes = randomInt(1, 400)
    same(t, standIn.hkdf(input, lengthBytes, info), bridge.hkdf(input, lengthBytes, info), { input, lengthBytes, info })
  }
  same(t, standIn.hkdf(Buffer.alloc(32), 255 * 32, {}), bridge.hkdf(Buffer.alloc(32), 255 * 32, {}), 'the most')
  t.throws(() => bridge.hkdf(Buffer.alloc(32), 255 * 32 + 1, {}))
  t.throws(() => standIn.hkdf(Buffer.alloc(32), 255 * 32 + 1, {}))
})

await t.test('expandAppStateKeys', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const input = bytes(64)
    const [actual, wanted] = [standIn.expandAppStateKeys(input), bridge.expandAppStateKeys(input)]
    for (const name of ['indexKey', 'valueEncryptionKey', 'valueMacKey', 'snapshotMacKey', 'patchMacKey'] as const) {
      same(t, actual[name], wanted[name], { input, name })
    }
  }
  t.pass()
})

await t.test('the sum of app state', async (t) => {
  const [ours, theirs] = [new standIn.LTHashAntiTampering(), new bridge.LTHashAntiTampering()]
  let base: Uint8Array = new Uint8Array(128)
  for (let round = 0; round < ROUNDS; round++) {
    const subtract = Array.from({ length: randomInt(4) }, () => bytes(40))
    const add = Array.from({ length: randomInt(4) }, () => bytes(40))
    const before = Buffer.from(base)
    const sum = ours.subtractThenAdd(base, subtract, add)
    same(t, sum, theirs.subtractThenAdd(base, subtract, add), { base, subtract, add })
    same(t, base, before, 'what was given is not changed')
    base = round % 10 === 0 ? randomBytes(128) : sum
  }
  t.throws(() => ours.subtractThenAdd(new Uint8Array(64), [], []), { name: 'RangeError' })
})
