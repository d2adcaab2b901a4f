import { createParser } from 'eventsource-parser'
import { parseFeedEvent, type FeedEvent } from './core/feed-events.ts'
import { ANSWER_MS, retryDelayMs, SILENCE_MS } from './core/feed-policy.ts'

/**
 * The live feed: one streamed answer after another, each asked for with the id of the last event that came, so that
 * nothing is missed between two. The browser's EventSource would hide the service's comments, and with them the
 * difference between a quiet fleet and a dead connection; nor can it be told where to go on.
 */
export interface FeedHooks {
  onEvent: (event: FeedEvent) => void
  /** `live` with the first bytes of an answer, `lost` when it ended or went silent. */
  onState: (state: 'live' | 'lost') => void
  /** With every sign of life. */
  onLife: () => void
  /** The login is over. */
  onLoggedOut: () => void
}

export class Feed {
  readonly #hooks: FeedHooks
  #lastEventId: string | undefined
  #logs: string | null = null
  #failures = 0
  /** Of the answer that is read now, or of the pause before the next one. */
  #current: AbortController | undefined
  #stopped = true

  constructor(hooks: FeedHooks) {
    this.#hooks = hooks
  }

  start(): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#failures = 0
    this.#lastEventId = undefined
    void this.#run()
  }

  stop(): void {
    this.#stopped = true
    this.#current?.abort()
  }

  /** Log lines of one account come along from now on, or of none: the feed is asked for anew where it is. */
  follow(accountId: string | null): void {
    if (this.#logs === accountId) return
    this.#logs = accountId
    this.#current?.abort()
  }

  /** The machine woke up or found a network: no reason to wait out a pause. */
  hurry(): void {
    if (this.#failures > 0) this.#current?.abort()
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const controller = new AbortController()
      this.#current = controller
      const logs = this.#logs
      const failed = await this.#read(controller, logs).catch(() => true)
      if (this.#stopped) return
      // Asked for anew on purpose: nothing is lost.
      if (!failed || this.#logs !== logs) continue
      this.#failures++
      this.#hooks.onState('lost')
      await this.#pause(retryDelayMs(this.#failures, Math.random()))
    }
  }

  /** Reads one answer to its end. Resolves with whether that is a loss. */
  async #read(controller: AbortController, logs: string | null): Promise<boolean> {
    let deadline = setTimeout(() => controller.abort(), ANSWER_MS)
    try {
      const query = logs === null ? '' : `?logs=${encodeURIComponent(logs)}`
      const response = await fetch(`/api/events${query}`, {
        headers: {
          accept: 'text/event-stream',
          ...(this.#lastEventId === undefined ? {} : { 'last-event-id': this.#lastEventId }),
        },
        cache: 'no-store',
        signal: controller.signal,
      })
      if (response.status === 401) {
        this.#stopped = true
        this.#hooks.onLoggedOut()
        return true
      }
      if (!response.ok || response.body === null) return true
      const parser = createParser({
        onEvent: ({ id, event, data }) => {
          const parsed = parseFeedEvent(event, data)
          if (parsed !== undefined) this.#hooks.onEvent(parsed)
          // After it was taken: an event that could not be is asked for again.
          if (id !== undefined) this.#lastEventId = id
        },
      })
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (;;) {
        const { done, value } = await text.read()
        if (done) return true
        clearTimeout(deadline)
        deadline = setTimeout(() => controller.abort(), SILENCE_MS)
        parser.feed(value)
        this.#failures = 0
        this.#hooks.onState('live')
        this.#hooks.onLife()
      }
    } finally {
      clearTimeout(deadline)
      controller.abort()
    }
  }

  #pause(delayMs: number): Promise<void> {
    const controller = new AbortController()
    this.#current = controller
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delayMs)
      controller.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
