import { setTimeout as pause } from 'node:timers/promises'
import type { SimulatorProcess } from '../simulator-process.ts'
import type { Setup } from './setup.ts'

/** Contacts of each account that write in turn. */
const CONTACTS = 10
const FIRST_CONTACT = 40_798_000_001
/** Before the phone: each account has a group of its own, with all its contacts. */
const GROUP_PREFIX = '1203630'

export interface Sent {
  phone: string
  id: string
  atMs: number
  /** When the simulator had encrypted it and handed it over. */
  handedOverMs: number
}

export interface TrafficOptions {
  phones: readonly string[]
  /** Messages a second to each of them. */
  perSecond: number
  seconds: number
  /** Every Nth message to an account comes in its group; 0 for none. */
  groupEvery?: number
}

/** Contacts write to every account, evenly spread over each second. Resolves with what was sent, when it has been. */
export async function sendTraffic(simulator: SimulatorProcess, options: TrafficOptions): Promise<Sent[]> {
  const { phones, perSecond, seconds, groupEvery = 0 } = options
  const startedMs = performance.now()
  const gapMs = 1000 / (perSecond * phones.length)
  const sending: Promise<Sent>[] = []
  for (let at = 0; at < perSecond * phones.length * seconds; at++) {
    const phone = phones[at % phones.length] ?? ''
    const round = Math.floor(at / phones.length)
    // Begins one later in each turn: or it would always be the same contacts that write in the group.
    const contact = String(FIRST_CONTACT + ((round + Math.floor(round / CONTACTS)) % CONTACTS))
    // Not in the same second for all accounts.
    const isInGroup = groupEvery > 0 && (round + (at % phones.length)) % groupEvery === 0
    const group = isInGroup ? `${GROUP_PREFIX}${phone}` : undefined
    const atMs = Date.now()
    const handOver = simulator.sendText(phone, contact, `message ${at}`, group)
    sending.push(handOver.then((id) => ({ phone, id, atMs, handedOverMs: Date.now() })))
    await pause(Math.max(0, startedMs + (at + 1) * gapMs - performance.now()))
  }
  return Promise.all(sending)
}

export interface Latency {
  messages: number
  lost: number
  p50Ms: number | null
  p99Ms: number | null
  maxMs: number | null
  /** From the hand-over: without what the simulator took, which has a core of its own to fill. */
  p99OfServiceMs: number | null
}

/** Of those that were sent: from the contact's sending to where the messages come out. Encryption by the contact is in it. */
export function latencyOf(setup: Setup, sent: readonly Sent[]): Latency {
  const since = (from: (message: Sent) => number): number[] =>
    sent
      .flatMap((message) => {
        const receivedMs = setup.received.get(message.id)
        // The word of the hand-over may come after the message itself.
        return receivedMs === undefined ? [] : [Math.max(0, receivedMs - from(message))]
      })
      .sort((a, b) => a - b)
  const delays = since(({ atMs }) => atMs)
  const at = (part: number, of = delays): number | null =>
    of[Math.min(of.length - 1, Math.floor(of.length * part))] ?? null
  return {
    messages: sent.length,
    lost: sent.length - delays.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
    p99OfServiceMs: at(
      0.99,
      since(({ handedOverMs }) => handedOverMs),
    ),
  }
}
