import { Piscina } from 'piscina'
import type { QrFormat } from './render-task.ts'

/**
 * Renders QR codes in a thread of its own: 30 of them take a second of CPU, during which the supervisor has to hear
 * heartbeats. The thread ends when there is nothing to draw.
 */
export class QrRenderer {
  readonly #pool = new Piscina({
    filename: new URL('./render-task.js', import.meta.url).href,
    name: 'renderQr',
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: 10_000,
  })
  /** Each code is asked for again by every open page while it lives. */
  readonly #rendered = new Map<string, Promise<string>>()

  /** A PNG data URL, or the other formats as they are. Rejects when the thread died; the next call tries anew. */
  render(text: string, format: QrFormat = 'png'): Promise<string> {
    const key = `${format} ${text}`
    const known = this.#rendered.get(key)
    if (known !== undefined) return known
    const drawn = this.#pool.run({ text, format }) as Promise<string>
    this.#rendered.set(key, drawn)
    drawn.catch(() => this.#rendered.delete(key))
    // Codes die within a minute: the oldest is the one that nobody will ask for.
    const [oldest] = this.#rendered.keys()
    if (this.#rendered.size > MOST_RENDERED && oldest !== undefined) this.#rendered.delete(oldest)
    return drawn
  }

  async stop(): Promise<void> {
    this.#rendered.clear()
    await this.#pool.destroy()
  }
}

/** One for each account of the largest fleet that was ever paired at once, twice; 6 KB each. */
const MOST_RENDERED = 500
