import { testPhones } from '../fixtures/paired-fleet.ts'
import { ACCOUNT_KINDS, FIRST_FLEET_KINDS, FLEET_KINDS, SLOW_MS, UNLINK, type Action, type Kind } from './actions.ts'
import { seededRandom, type Random } from './random.ts'

/**
 * Phones that are unlinked on purpose: one account of ten, but no more than two. A third within ten minutes is taken for
 * WhatsApp's own trouble (supervisor/core/mass-refusal.ts), and its session stays where it is.
 */
const UNLINKED = { oneIn: 10, atMost: 2 }
/** From one blow at the whole fleet to the next: it shall be up in between, else nothing but the first is tried. */
const FLEET_GAP_MS = 20_000
const FIRST_FLEET_MS = 8_000
/** The last blow at the whole fleet leaves it this long before the calm begins. */
const FLEET_LAST_MS = 5_000
/** Between two actions on single accounts; shorter with many accounts. */
const GAP_MS = { min: 500, max: 1_500, ofFleet: 45_000 }

/**
 * What is done when, and to whom: a pure function of its arguments, sorted by time.
 * @param minutes of faults; what follows (calm, judgement) is not planned
 */
export function plan(seed: number, accounts: number, minutes: number): Action[] {
  const random = seededRandom(seed)
  const phones = testPhones(accounts)
  const endMs = minutes * 60_000
  const unlinked = planUnlinks(random, phones, endMs)
  const unlinkedAtMs = new Map(unlinked.map(({ phone, atMs }) => [phone, atMs]))
  const actions = [...unlinked, ...planFleet(random, endMs)]

  const deck = new Deck(random, ACCOUNT_KINDS)
  const struck = new Map<string, number>()
  const gapMs = Math.min(GAP_MS.max, Math.max(GAP_MS.min, GAP_MS.ofFleet / accounts))
  for (let atMs = gapMs; atMs < endMs; atMs += gapMs * (0.5 + random.next())) {
    const phone = random.pick(phones.filter((phone) => atMs < (unlinkedAtMs.get(phone) ?? endMs)))
    const count = (kind: Kind): number => struck.get(`${phone} ${kind.name}`) ?? 0
    const kind = deck.draw((kind) => fits(kind, atMs, endMs) && count(kind) < (kind.cap ?? Infinity))
    struck.set(`${phone} ${kind.name}`, count(kind) + 1)
    actions.push(make(kind, atMs, phone, random))
  }
  return actions.sort((a, b) => a.atMs - b.atMs)
}

/** In the middle of the run, so that they are struck before and the run goes on without them. */
function planUnlinks(random: Random, phones: readonly string[], endMs: number): Action[] {
  const count = Math.min(UNLINKED.atMost, Math.max(1, Math.floor(phones.length / UNLINKED.oneIn)))
  return random
    .shuffle(phones)
    .slice(0, count)
    .map((phone) => make(UNLINK, endMs * (0.3 + 0.4 * random.next()), phone, random))
}

function planFleet(random: Random, endMs: number): Action[] {
  const first = random.shuffle(FLEET_KINDS.slice(0, FIRST_FLEET_KINDS))
  const deck = new Deck(random, FLEET_KINDS, first)
  const actions: Action[] = []
  for (let atMs = FIRST_FLEET_MS; atMs <= endMs - FLEET_LAST_MS; atMs += FLEET_GAP_MS * (0.85 + 0.3 * random.next())) {
    const kind = deck.draw((kind) => fits(kind, atMs, endMs))
    actions.push({ ...make(kind, atMs, '', random), phone: null })
  }
  return actions
}

function fits(kind: Kind, atMs: number, endMs: number): boolean {
  return kind.slow !== true || atMs <= endMs - SLOW_MS
}

function make(kind: Kind, atMs: number, phone: string, random: Random): Action {
  const act = kind.make(phone, (minMs, maxMs) => random.between(minMs, maxMs))
  return { atMs: Math.round(atMs), name: kind.name, phone, act }
}

/** Kinds in random order, each once before one comes again; what does not fit now stays on top. */
class Deck {
  readonly #random: Random
  readonly #kinds: readonly Kind[]
  #cards: Kind[]

  constructor(random: Random, kinds: readonly Kind[], first: readonly Kind[] = []) {
    this.#random = random
    this.#kinds = kinds
    this.#cards = [...first, ...random.shuffle(kinds.filter((kind) => !first.includes(kind)))]
  }

  draw(fits: (kind: Kind) => boolean): Kind {
    if (!this.#cards.some(fits)) this.#cards.push(...this.#random.shuffle(this.#kinds))
    const index = this.#cards.findIndex(fits)
    const [card] = this.#cards.splice(index, index < 0 ? 0 : 1)
    if (card === undefined) throw new RangeError('no kind fits this moment of the plan')
    return card
  }
}

/** One line: time, what, whom. */
export function describeAction({ atMs, name, phone, act }: Action): string {
  const lasting = 'forMs' in act && act.forMs !== null ? ` for ${(act.forMs / 1000).toFixed(1)} s` : ''
  const delayed =
    act.do === 'inject' && act.fault.kind === 'delay_handshake' ? ` by ${(act.fault.delayMs / 1000).toFixed(1)} s` : ''
  return `${(atMs / 1000).toFixed(1).padStart(6)} s  ${nameOf(phone).padEnd(11)} ${name}${lasting}${delayed}`
}

/** An account as it is called in what is printed: by its place, no phone number. */
export function nameOf(phone: string | null): string {
  return phone === null ? 'everybody' : `account ${Number(phone.slice(-4))}`
}
