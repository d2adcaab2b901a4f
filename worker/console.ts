/**
 * libsignal prints whole session records, private keys included, by console.info when a session closes or opens; other
 * libraries print what they like. In a worker the console goes to the journal, so it is replaced before any of them is
 * loaded, and only counts.
 */
const METHODS = [
  'log',
  'info',
  'debug',
  'warn',
  'error',
  'trace',
  'dir',
  'table',
  'group',
  'groupCollapsed',
  'dirxml',
  'assert',
  'timeLog',
  'timeEnd',
  'count',
] as const

export type ConsoleMethod = (typeof METHODS)[number]

export interface SilencedConsole {
  /** Calls swallowed so far, by method; methods never called are left out. */
  counts(): Readonly<Partial<Record<ConsoleMethod, number>>>
  restore(): void
}

/**
 * Replaces every printing method of `target` by one that keeps nothing of its arguments. `sink` hears the method and
 * how often it was called, so that the owner can log the number.
 */
export function silenceConsole(
  sink: (method: ConsoleMethod, count: number) => void = () => {},
  target: Pick<Console, ConsoleMethod> = console,
): SilencedConsole {
  const counts: Partial<Record<ConsoleMethod, number>> = {}
  const originals = METHODS.map((method) => [method, target[method]] as const)
  for (const method of METHODS) {
    target[method] = () => {
      const count = (counts[method] ?? 0) + 1
      counts[method] = count
      sink(method, count)
    }
  }
  return {
    counts: () => ({ ...counts }),
    restore: () => {
      Object.assign(target, Object.fromEntries(originals))
    },
  }
}
