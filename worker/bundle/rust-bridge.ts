import { createHash, hkdfSync } from 'node:crypto'

/**
 * Stands in for whatsapp-rust-bridge in the bundle: 2 MB of wasm that is compiled at the import of Baileys (8 MiB and 40 ms
 * of every worker) for four functions that node:crypto has, or nearly. The same bytes: a test compares both on random
 * input. It goes when Baileys does without the bridge.
 */

export function md5(bytes: Uint8Array): Uint8Array {
  return createHash('md5').update(bytes).digest()
}

export interface HkdfInfo {
  salt?: Uint8Array | undefined
  info?: string | undefined
}

/** HKDF with SHA-256. @throws RangeError for more than 255 blocks of output, as the standard has it */
export function hkdf(bytes: Uint8Array, lengthBytes: number, { salt, info }: HkdfInfo): Uint8Array {
  return Buffer.from(hkdfSync('sha256', bytes, salt ?? new Uint8Array(0), info ?? '', lengthBytes))
}

export interface ExpandedAppStateKeys {
  indexKey: Uint8Array
  valueEncryptionKey: Uint8Array
  valueMacKey: Uint8Array
  snapshotMacKey: Uint8Array
  patchMacKey: Uint8Array
}

export function expandAppStateKeys(keyData: Uint8Array): ExpandedAppStateKeys {
  const bytes = hkdf(keyData, 160, { info: 'WhatsApp Mutation Keys' })
  return {
    indexKey: bytes.subarray(0, 32),
    valueEncryptionKey: bytes.subarray(32, 64),
    valueMacKey: bytes.subarray(64, 96),
    snapshotMacKey: bytes.subarray(96, 128),
    patchMacKey: bytes.subarray(128, 160),
  }
}

const SUM_BYTES = 128

/** WhatsApp's summation hash of app state: each mutation expands to 64 numbers of 16 bits, which are added or taken off. */
export class LTHashAntiTampering {
  subtractThenAdd(base: Uint8Array, subtract: readonly Uint8Array[], add: readonly Uint8Array[]): Uint8Array {
    if (base.length !== SUM_BYTES)
      throw new RangeError(`The sum has ${base.length} bytes: it has to have ${SUM_BYTES}.`)
    const sum = Buffer.from(base)
    for (const mutation of subtract) addExpanded(sum, mutation, -1)
    for (const mutation of add) addExpanded(sum, mutation, 1)
    return sum
  }
}

function addExpanded(sum: Buffer, mutation: Uint8Array, sign: 1 | -1): void {
  const expanded = Buffer.from(hkdf(mutation, SUM_BYTES, { info: 'WhatsApp Patch Integrity' }))
  for (let at = 0; at < SUM_BYTES; at += 2) {
    sum.writeUInt16LE((sum.readUInt16LE(at) + sign * expanded.readUInt16LE(at)) & 0xffff, at)
  }
}
