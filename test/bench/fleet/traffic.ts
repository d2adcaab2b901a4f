import { setTimeout as pause } from 'node:timers/promises'
import type { SimulatorProcess } from '../simulator-process.ts'
import type { Setup } from './setup.ts'

/** Contacts of each account that write in turn. */
const CONTACTS = 10
const FIRST_CONTACT = 40_798_000_001

export interface Sent {
  phone: string
  id: string
  atMs: number
}

export interface TrafficOptions {
  phones: readonly string[]
  /** Messages a second to each of them. */
  perSecond: number
  seconds: number
}

/** Contacts write to every account, evenly spread over each second. Resolves with what was sent, when it has been. */
export async function sendTraffic(simulator: SimulatorProcess, options: TrafficOptions): Promise<Sent[]> {
  const { phones, perSecond, seconds } = options
  const startedMs = performance.now()
  const gapMs = 1000 / (perSecond * phones.length)
  const sending: Promise<Sent>[] = []
  for (let at = 0; at < perSecond * phones.length * seconds; at++) {
    const phone = phones[at % phones.length] ?? ''
    const contact = String(FIRST_CONTACT + (Math.floor(at / phones.length) % CONTACTS))
    const atMs = Date.now()
    sending.push(simulator.sendText(phone, contact, `message ${at}`).then((id) => ({ phone, id, atMs })))
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
}

/** Of those that were sent: from the contact's sending to where the messages come out. Encryption by the contact is in it. */
export function latencyOf(setup: Setup, sent: readonly Sent[]): Latency {
  const delays = sent
    .flatMap(({ id, atMs }) => {
      const receivedMs = setup.received.get(id)
      return receivedMs === undefined ? [] : [receivedMs - atMs]
    })
    .sort((a, b) => a - b)
  const at = (part: number): number | null =>
    delays[Math.min(delays.length - 1, Math.floor(delays.length * part))] ?? null
  return {
    messages: sent.length,
    lost: sent.length - delays.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  }
}
