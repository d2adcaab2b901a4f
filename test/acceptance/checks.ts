import { messageOf } from '../../shared/errors.ts'

/** Runs checks one after another and prints a line for each: what was to be seen, and whether it was. */
export class Checks {
  readonly #print: (line: string) => void
  readonly #failed: string[] = []
  #passed = 0

  constructor(print: (line: string) => void) {
    this.#print = print
  }

  /** @param look throws what is wrong; may return what was seen, for the line */
  async see(what: string, look: () => Promise<string | void>): Promise<void> {
    const startedMs = performance.now()
    const took = (): string => `${((performance.now() - startedMs) / 1000).toFixed(1)} s`
    try {
      const seen = await look()
      this.#passed++
      this.#print(`passed  ${what}${seen === undefined ? '' : `: ${seen}`} (${took()})`)
    } catch (error) {
      this.#failed.push(what)
      this.#print(`FAILED  ${what} (${took()})\n        ${messageOf(error).replaceAll('\n', '\n        ')}`)
    }
  }

  /** Prints the sum; true when nothing failed. */
  conclude(): boolean {
    const failed = this.#failed.length
    this.#print(failed === 0 ? `All ${this.#passed} passed.` : `${failed} of ${failed + this.#passed} FAILED.`)
    return failed === 0
  }
}

export function expect(condition: boolean, complaint: string): asserts condition {
  if (!condition) throw new Error(complaint)
}

export function expectEqual(seen: unknown, wanted: unknown, what: string): void {
  const [a = '', b = ''] = [JSON.stringify(seen), JSON.stringify(wanted)]
  if (a === b) return
  // Of long ones, from where they differ.
  const first = [...a].findIndex((character, index) => character !== b[index])
  const from = Math.max(0, (first < 0 ? a.length : first) - 200)
  throw new Error(`${what} is ${a.slice(from, from + 600)}\nand was to be ${b.slice(from, from + 600)}`)
}
