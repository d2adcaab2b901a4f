import { Piscina } from 'piscina'

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
  /** Each code is asked for again by every poll of every open page while it lives. */
  readonly #rendered = new Map<string, Promise<string>>()

  /** A PNG data URL. Rejects when the thread died; the next call tries anew. */
  render(text: string): Promise<string> {
    const known = this.#rendered.get(text)
    if (known !== undefined) return known
    const png = this.#pool.run(text) as Promise<string>
    this.#rendered.set(text, png)
    png.catch(() => this.#rendered.delete(text))
    // Codes die within a minute: the oldest is the one that nobody will ask for.
    const [oldest] = this.#rendered.keys()
    if (this.#rendered.size > MOST_RENDERED && oldest !== undefined) this.#rendered.delete(oldest)
    return png
  }

  async stop(): Promise<void> {
    this.#rendered.clear()
    await this.#pool.destroy()
  }
}

/** One for each account of the largest fleet that was ever paired at once, twice; 6 KB each. */
const MOST_RENDERED = 500
