import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../shared/errors.ts'
import type { ChaosService } from './chaos-service.ts'
import { nameOf } from './plan.ts'

/** What parks an account until a person acts, and a restart mends once the cause is gone. */
const PARKED = ['forbidden', 'temporarily_banned', 'banned', 'client_outdated', 'replaced']
const LOOK_MS = 1_000
/** A person needs a moment to see it, and looks at what came of it before asking again. */
const REACTION_MS = 3_000

/**
 * The person in charge: restarts accounts that wait for one, but only those that the plan has parked. An account that is
 * parked for any other cause is a fault of the service, and stays.
 */
export class Operator {
  /** Restarts of each account, by phone. */
  readonly restarts = new Map<string, number>()
  readonly troubles: string[] = []
  readonly #service: ChaosService
  readonly #phoneOf: ReadonlyMap<string, string>
  readonly #say: (line: string) => void
  readonly #allowed = new Set<string>()
  #going = true
  readonly #loop: Promise<void>

  /** `phoneOf`: by account id. */
  constructor(service: ChaosService, phoneOf: ReadonlyMap<string, string>, say: (line: string) => void) {
    this.#service = service
    this.#phoneOf = phoneOf
    this.#say = say
    this.#loop = this.#run()
  }

  /** The plan has parked this account, or is about to. */
  allow(phone: string): void {
    this.#allowed.add(phone)
  }

  async stop(): Promise<void> {
    this.#going = false
    await this.#loop
  }

  async #run(): Promise<void> {
    const dueMs = new Map<string, number>()
    while (this.#going) {
      for (const { accountId, reason } of (await this.#service.look()) ?? []) {
        const phone = this.#phoneOf.get(accountId) ?? ''
        if (!this.#allowed.has(phone) || !PARKED.includes(reason ?? '')) {
          dueMs.delete(accountId)
          continue
        }
        const due = dueMs.get(accountId) ?? performance.now() + REACTION_MS
        dueMs.set(accountId, due)
        if (performance.now() < due) continue
        dueMs.set(accountId, performance.now() + 2 * REACTION_MS)
        await this.#restart(accountId, phone, reason ?? '')
      }
      await pause(LOOK_MS)
    }
  }

  async #restart(accountId: string, phone: string, reason: string): Promise<void> {
    this.#say(`${nameOf(phone).padEnd(11)} operator: restarted, it was ${reason}`)
    this.restarts.set(phone, (this.restarts.get(phone) ?? 0) + 1)
    try {
      await this.#service.ask(accountId, 'restart')
    } catch (error) {
      this.troubles.push(messageOf(error))
    }
  }
}
