import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../shared/errors.ts'
import type { Simulator } from '../simulator/simulator.ts'
import type { SentMessage } from './evidence.ts'

/** Who writes: each account hears from each of them, in turn. */
const CONTACTS = ['49151000001', '49151000002', '49151000003']
/** Messages a second to all accounts together: each gets one a second, or one in two where there are 30. */
const PER_SECOND_AT_MOST = 15
/** One message of so many to an account comes in the account's group. */
const IN_GROUP_EVERY = 4

/** Contacts that write to every account in turn, whatever happens to it. */
export class Traffic {
  readonly sent: SentMessage[] = []
  /** What went wrong at the simulator itself; empty in a sound run. */
  readonly errors: string[] = []
  readonly #simulator: Simulator
  readonly #phones: readonly string[]
  readonly #gone = new Set<string>()
  #going = true
  #round = 0
  #loop: Promise<void> = Promise.resolve()

  constructor(simulator: Simulator, phones: readonly string[]) {
    this.#simulator = simulator
    this.#phones = phones
  }

  start(): void {
    this.#loop = this.#run()
  }

  /** Nobody writes to this phone any more: it has no linked device. */
  leave(phone: string): void {
    this.#gone.add(phone)
  }

  /** One last message to every account, then silence. */
  async finish(): Promise<void> {
    this.#going = false
    await this.#loop
    for (const phone of this.#phones) await this.#write(phone, false)
  }

  async #run(): Promise<void> {
    const gapMs = 1000 / Math.min(PER_SECOND_AT_MOST, this.#phones.length)
    for (; this.#going; this.#round++) {
      for (const [at, phone] of this.#phones.entries()) {
        await this.#write(phone, (this.#round + at) % IN_GROUP_EVERY === 0)
        await pause(gapMs)
        if (!this.#going) return
      }
    }
  }

  async #write(phone: string, isInGroup: boolean): Promise<void> {
    if (this.#gone.has(phone)) return
    const from = CONTACTS[this.#round % CONTACTS.length] ?? ''
    try {
      const message = { to: phone, from, text: `number ${this.sent.length}` }
      const { id } = await (isInGroup
        ? this.#simulator.sendGroupText({ ...message, group: `1203630${phone}` })
        : this.#simulator.sendText(message))
      this.sent.push({ id, phone })
    } catch (error) {
      if (!this.#gone.has(phone)) this.errors.push(messageOf(error))
    }
  }
}
