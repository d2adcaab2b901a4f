import type { Clock } from '../../shared/clock.ts'
import { OneThread } from '../one-thread.ts'
import type { QrFormat } from './render-task.ts'

/**
 * The life of a first code, after which nobody wants it. A code takes 30 ms, but where thirty workers start at once, a new
 * thread has needed 20 s to come up; to give it up sooner is to begin again, on the same busy machine.
 */
const DEADLINE_MS = 60_000

/** One for each account of the largest fleet that was ever paired at once, twice; 6 KB each. */
const MOST_RENDERED = 500

/**
 * Renders QR codes in a thread of its own: 30 of them take a second of CPU, during which the supervisor has to hear
 * heartbeats.
 */
export class QrRenderer {
  readonly #clock: Clock
  readonly #thread: OneThread<{ text: string; format: QrFormat }, string>
  /** Each code is asked for again by every open page while it lives. */
  readonly #rendered = new Map<string, Promise<string>>()

  /** @param options a test puts another task in its place, which hangs or dies */
  constructor(options: { clock: Clock; taskUrl?: URL }) {
    const { clock, taskUrl: file = new URL('./render-task.js', import.meta.url) } = options
    this.#clock = clock
    this.#thread = new OneThread({ file, name: 'renderQr', clock, deadlineMs: DEADLINE_MS })
  }

  /**
   * A PNG data URL, or the other formats as they are. Rejects when the thread died, or has drawn nothing for DEADLINE_MS, or
   * its turn came later than that; the next call tries anew.
   */
  render(text: string, format: QrFormat = 'png'): Promise<string> {
    const key = `${format} ${text}`
    const known = this.#rendered.get(key)
    if (known !== undefined) return known
    const askedMs = this.#clock.monotonicMs()
    const drawn = this.#thread.run({ text, format }, () => this.#clock.monotonicMs() - askedMs < DEADLINE_MS)
    this.#rendered.set(key, drawn)
    drawn.catch(() => this.#rendered.delete(key))
    // Codes die within a minute: the oldest is the one that nobody will ask for.
    const [oldest] = this.#rendered.keys()
    if (this.#rendered.size > MOST_RENDERED && oldest !== undefined) this.#rendered.delete(oldest)
    return drawn
  }

  async stop(): Promise<void> {
    this.#rendered.clear()
    await this.#thread.stop()
  }
}
