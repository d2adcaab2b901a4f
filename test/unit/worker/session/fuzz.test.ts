/**
 * A log damaged in every way that fits in a line of code is read as what was acknowledged, or refused with the offset
 * named. FUZZ_CASES sets how many cases, FUZZ_SEED where they begin; a failing case prints its seed.
 */
import t from 'tap'
import { encodeHeader, encodeRecord, HEADER_BYTES, type LogEntry } from '../../../../worker/session/log-record.ts'
import { refuseBelowMark, scanLog, type LogContents } from '../../../../worker/session/log-scan.ts'
import { SessionError } from '../../../../shared/session/session-error.ts'
import type { SessionFile } from '../../../../shared/session/session-fs.ts'
import { Random } from './fixtures/random.ts'

const CASES = Number(process.env.FUZZ_CASES ?? 5000)
const SEED = Number(process.env.FUZZ_SEED ?? 1)

interface Log {
  readonly header: Buffer
  readonly records: readonly Buffer[]
  /** After the first n records, JSON: what a reader must see. */
  readonly states: readonly string[]
  readonly firstSequence: number
  /** Records written when the log was put in place. */
  readonly floor: number
  /** Records acknowledged. */
  readonly acknowledged: number
}

function makeLog(random: Random): Log {
  const count = random.between(1, 12)
  const floor = random.between(1, count)
  const firstSequence = random.between(1, 1000)
  const salt = random.below(2 ** 32)
  const records: Buffer[] = []
  const model = new Map<string, string>()
  const states = ['']
  for (let number = 0; number < count; number++) {
    const entries: LogEntry[] = Array.from({ length: random.between(1, 4) }, () => ({
      key: `type/${random.below(6)}`,
      // Values that hold the magic, and other records, must not confuse the search.
      value: random.chance(0.2)
        ? null
        : random.chance(0.2)
          ? Buffer.from(`WREC${'WREC'.repeat(9)}`)
          : random.bytes(random.below(200)),
    }))
    for (const { key, value } of entries) {
      if (value === null) model.delete(key)
      else model.set(key, value.toString('hex'))
    }
    records.push(encodeRecord(salt, firstSequence + number, entries).bytes)
    states.push(JSON.stringify([...model].sort()))
  }
  const header = encodeHeader({ salt, firstSequence, floorSequence: firstSequence + floor - 1 })
  return { header, records, states, firstSequence, floor, acknowledged: Math.max(floor, count - random.below(2)) }
}

/** `from` is the first byte that may differ from the log as it was written. */
interface Damage {
  readonly name: string
  readonly bytes: Buffer
  readonly from: number
}

function damage(log: Log, random: Random): Damage {
  const whole = Buffer.concat([log.header, ...log.records])
  const offsetOf = (record: number): number =>
    HEADER_BYTES + log.records.slice(0, record).reduce((sum, { length }) => sum + length, 0)
  const one = random.below(log.records.length)
  const other = random.below(log.records.length)
  const at = random.below(whole.length)
  const rebuilt = (records: readonly Buffer[]): Buffer => Buffer.concat([log.header, ...records])
  switch (random.below(8)) {
    case 0: {
      const bytes = Buffer.from(whole)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
      return { name: 'a flipped bit', bytes, from: at }
    }
    case 1: {
      const bytes = Buffer.from(whole)
      const flips = Array.from({ length: random.between(2, 40) }, () => random.below(whole.length))
      for (const flip of flips) bytes[flip] = (bytes[flip] ?? 0) ^ random.between(1, 255)
      return { name: 'many changed bytes', bytes, from: Math.min(...flips) }
    }
    case 2:
      return { name: 'cut', bytes: whole.subarray(0, at), from: at }
    case 3: {
      const until = Math.min(whole.length, at + random.between(1, 300))
      return { name: 'bytes taken out', bytes: Buffer.concat([whole.subarray(0, at), whole.subarray(until)]), from: at }
    }
    case 4: {
      const bytes = Buffer.from(whole)
      bytes.fill(0, at, Math.min(bytes.length, at + random.between(1, 600)))
      return { name: 'zeros', bytes, from: at }
    }
    case 5: {
      const records = [...log.records]
      const copied = records[one]
      if (copied !== undefined) records.splice(other, 0, copied)
      return { name: 'a record doubled', bytes: rebuilt(records), from: offsetOf(other) }
    }
    case 6: {
      const records = [...log.records]
      const [first, second] = [records[one], records[other]]
      if (first !== undefined && second !== undefined) [records[one], records[other]] = [second, first]
      return { name: 'records swapped', bytes: rebuilt(records), from: offsetOf(Math.min(one, other)) }
    }
    default: {
      const garbage = random.chance(0.5)
        ? random.bytes(random.between(1, 400))
        : whole.subarray(0, random.below(whole.length))
      return { name: 'bytes after the end', bytes: Buffer.concat([whole, garbage]), from: whole.length }
    }
  }
}

function fileOf(bytes: Buffer): SessionFile {
  const refuse = async (): Promise<never> => Promise.reject(new Error('reading must not write'))
  return {
    read: async (target, position) => bytes.copy(target, 0, position, Math.min(bytes.length, position + target.length)),
    size: async () => bytes.length,
    close: async () => undefined,
    write: refuse,
    sync: refuse,
    datasync: refuse,
    truncate: refuse,
  }
}

function stateOf(contents: LogContents, bytes: Buffer): string {
  const entries = [...contents.index].map(([key, { offset, length }]) => [
    key,
    bytes.toString('hex', offset, offset + length),
  ])
  return JSON.stringify(entries.sort())
}

/** undefined, or what went wrong. `outcomes` counts what happened. */
async function runCase(seed: number, outcomes: Map<string, number>): Promise<string | undefined> {
  const random = new Random(seed)
  const log = makeLog(random)
  const { name, bytes, from } = damage(log, random)
  const withMark = random.chance(0.7)
  const count = (outcome: string): void => void outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  let contents: LogContents
  try {
    contents = await scanLog(fileOf(bytes), 'session.log')
    if (withMark) refuseBelowMark(contents, 'session.log', log.firstSequence + log.acknowledged - 1)
  } catch (error) {
    if (!(error instanceof SessionError) || error.code === 'storage_failed') return `${name}: ${String(error)}`
    count('refused')
    const offset = error.details.offset
    if (error.code === 'session_damaged' && typeof offset !== 'number') return `${name}: refused without an offset`
    if (typeof offset === 'number' && !error.message.includes(`byte ${offset}`))
      return `${name}: the message names no offset`
    const tornOnly =
      from >= HEADER_BYTES + log.records.slice(0, log.acknowledged).reduce((sum, { length }) => sum + length, 0)
    // A cut in what was never acknowledged is no more than a crash does, and must open.
    return tornOnly && name === 'cut' ? `${name}: a torn tail was refused` : undefined
  }
  const records = contents.sequence - log.firstSequence + 1
  const state = log.states[records]
  if (state === undefined || (records > 0 && stateOf(contents, bytes) !== state))
    return `${name}: opened as something else`
  if (records >= log.acknowledged) {
    count('opened with all')
    return undefined
  }
  if (withMark) return `${name}: opened without an acknowledged record`
  // Without the mark the last records alone tell nothing, but the log as it was put in place must be whole.
  if (records < log.floor) return `${name}: opened below the floor`
  const nothingBeyond =
    ['cut', 'zeros', 'many changed bytes', 'bytes taken out'].includes(name) || records === log.records.length - 1
  if (!nothingBeyond) return `${name}: opened at ${records} although later records stood there`
  count('no mark: opened with less')
  return undefined
}

// Against a hang alone: on a slow machine a case takes ten times as long as on a fast one.
t.setTimeout(600_000 + CASES * 10)

t.test(`${CASES} damaged logs (seed ${SEED})`, async (t) => {
  const outcomes = new Map<string, number>()
  for (let number = 0; number < CASES; number++) {
    const seed = SEED * 1_000_003 + number
    const problem = await runCase(seed, outcomes)
    if (problem !== undefined) t.fail(`seed ${seed}: ${problem}`)
  }
  for (const [outcome, count] of outcomes) t.comment(`${outcome}: ${count}`)
  t.ok((outcomes.get('refused') ?? 0) > CASES / 4, 'most damage is refused')
  t.ok((outcomes.get('opened with all') ?? 0) > CASES / 50, 'harmless damage opens')
})
