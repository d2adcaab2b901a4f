/**
 * How long each action took to heal: from the action until each account whose connection ended after it was online
 * again, as the simulator saw it. Actions overlap, so a slow one may lend its time to another; that is what it looks like
 * to the account, too.
 */
export interface HealingOfAction {
  /** Accounts whose connection ended after the action. */
  readonly struck: number
  /** Those of them that did not come back. */
  readonly waiting: number
  /** Until the last one was online again; null while one is not, and where none was struck. */
  readonly healedAfterMs: number | null
}

interface Watch {
  readonly atMs: number
  readonly phones: ReadonlySet<string>
  readonly down: Set<string>
  readonly back: Set<string>
  lastBackMs: number
}

/** An end of a connection this long after the action is another's doing, unless a fault stays that long unnoticed. */
const BLAME_MS = 60_000

export class Healing {
  readonly #watches: Watch[] = []

  /** An action strikes these phones now; returns its number. */
  begin(phones: readonly string[], atMs: number): number {
    this.#watches.push({ atMs, phones: new Set(phones), down: new Set(), back: new Set(), lastBackMs: atMs })
    return this.#watches.length - 1
  }

  closed(phone: string, atMs: number): void {
    for (const watch of this.#watches) {
      if (watch.phones.has(phone) && !watch.back.has(phone) && atMs - watch.atMs <= BLAME_MS) watch.down.add(phone)
    }
  }

  online(phone: string, atMs: number): void {
    for (const watch of this.#watches) {
      if (!watch.down.delete(phone)) continue
      watch.back.add(phone)
      watch.lastBackMs = atMs
    }
  }

  of(action: number): HealingOfAction | undefined {
    const watch = this.#watches[action]
    if (watch === undefined) return undefined
    const struck = watch.down.size + watch.back.size
    const healed = watch.down.size === 0 && watch.back.size > 0
    return { struck, waiting: watch.down.size, healedAfterMs: healed ? watch.lastBackMs - watch.atMs : null }
  }
}
