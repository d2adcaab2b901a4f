import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'
import type { Clock, Timer } from '../../shared/clock.ts'
import { AppError } from '../../shared/errors.ts'
import { frameOf } from '../core/event-ring.ts'
import type { Feed } from '../feed/feed.ts'
import type { BookedLine, LogBook } from '../feed/log-book.ts'
import { iso } from '../views/iso.ts'
import type { Auth, Principal } from './auth.ts'

/**
 * The open event streams (Server-Sent Events). Each gets the same bytes as the others; one that does not take them is
 * dropped, and comes back by itself with the id of the last event that it has seen.
 */
export interface EventStreamsOptions {
  feed: Feed
  logs: LogBook
  auth: Auth
  clock: Clock
}

export interface Subscription {
  principal: Principal
  lastEventId: string | undefined
  /** The account whose log lines are wanted. */
  logsOf: string | undefined
}

interface Client {
  raw: ServerResponse
  principal: Principal
  /** What may wait to be taken: what it was given at first comes on top. */
  mostBuffered: number
  end: () => void
}

/** Proxies close what is silent for 30 to 60 s. */
const HEARTBEAT_MS = 15_000
/** Of what was written and not taken, beyond what the kernel holds: seconds of a busy fleet. */
const MOST_BUFFERED_BYTES = 1024 * 1024
/** Well below the most connections of the server, so that streams never keep requests out. */
const MOST_STREAMS = 100
/** Of these for viewers: whoever may only look can't keep out who has to act. */
const MOST_OF_VIEWERS = 80
/** What a browser waits before it comes back. */
const RETRY_MS = 2000

export class EventStreams {
  readonly #options: EventStreamsOptions
  readonly #clients = new Set<Client>()
  #timer: Timer | undefined
  #dropped = 0

  constructor(options: EventStreamsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#clients.size
  }

  /** Streams that were ended because nobody took what was sent. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Answers with a stream that ends with the client, the login or the service.
   * @throws AppError too_many_requests, bad_request
   */
  open(reply: FastifyReply, { principal, lastEventId, logsOf }: Subscription): void {
    this.#assertRoom(principal.role)
    const { feed, logs } = this.#options
    const { raw } = reply
    // Behind another answer of its connection it would wait for its turn, perhaps for ever, and never learn of the end.
    if (raw.socket === null) {
      throw new AppError('bad_request', 'An event stream wants a connection of its own: do not pipeline requests.')
    }
    reply.hijack()
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx would wait for a buffer to fill.
      'x-accel-buffering': 'no',
    })
    const { frames, qrOf } = feed.begin(principal.role, lastEventId)
    const unsubscribes = [
      feed.listen(principal.role === 'admin' ? 'admin' : 'all', (bytes) => this.#write(client, bytes)),
    ]
    const client: Client = {
      raw,
      principal,
      mostBuffered: MOST_BUFFERED_BYTES,
      end: () => {
        for (const unsubscribe of unsubscribes.splice(0)) unsubscribe()
        this.#clients.delete(client)
        if (this.#clients.size === 0) this.#timer?.cancel()
      },
    }
    if (logsOf !== undefined && principal.role === 'admin') {
      unsubscribes.push(
        logs.listen((accountId, line) => {
          if (accountId === logsOf) this.#write(client, logFrame(feed.lastId, accountId, line))
        }),
      )
    }
    this.#clients.add(client)
    raw.on('close', client.end)
    raw.on('error', client.end)
    if (this.#clients.size === 1) this.#beat()
    const first = Buffer.from(`retry: ${RETRY_MS}\n\n${frames.join('')}`)
    client.mostBuffered += first.length
    this.#write(client, first)
    if (principal.role === 'admin') void this.#sendQrs(client, qrOf)
  }

  /** Ends the streams of those who are let in no more. */
  endInvalid(): void {
    const { auth } = this.#options
    for (const client of [...this.#clients]) if (!auth.isValid(client.principal)) this.#end(client)
  }

  endAll(): void {
    for (const client of [...this.#clients]) this.#end(client)
  }

  /** @throws AppError too_many_requests */
  #assertRoom(role: Principal['role']): void {
    if (this.#clients.size >= MOST_STREAMS) {
      throw new AppError('too_many_requests', `${MOST_STREAMS} event streams are open: close one of them.`)
    }
    if (role === 'admin') return
    const viewers = [...this.#clients].filter(({ principal }) => principal.role === 'viewer').length
    if (viewers >= MOST_OF_VIEWERS) {
      throw new AppError(
        'too_many_requests',
        `${MOST_OF_VIEWERS} event streams of viewers are open: close one of them.`,
      )
    }
  }

  async #sendQrs(client: Client, accountIds: readonly string[]): Promise<void> {
    for (const accountId of accountIds) {
      const frame = await this.#options.feed.qrFrame(accountId)
      if (!this.#clients.has(client)) return
      if (frame !== undefined) this.#write(client, frame)
    }
  }

  #write(client: Client, data: string | Buffer): void {
    const { raw } = client
    // Its end is told by 'close'; were that missed, it would count among the streams for ever.
    if (raw.destroyed || raw.writableEnded) return void client.end()
    if (raw.writableLength > client.mostBuffered) {
      this.#dropped++
      client.end()
      raw.destroy()
      return
    }
    raw.write(data)
  }

  #end(client: Client): void {
    client.end()
    client.raw.end()
    // A page that does not hang up must not keep the service from stopping.
    client.raw.socket?.destroySoon()
  }

  #beat(): void {
    this.#timer = this.#options.clock.setTimer(
      HEARTBEAT_MS,
      () => {
        this.endInvalid()
        const comment = Buffer.from(':\n\n')
        for (const client of [...this.#clients]) this.#write(client, comment)
        if (this.#clients.size > 0) this.#beat()
      },
      { unref: true },
    )
  }
}

function logFrame(id: string, accountId: string, line: BookedLine): string {
  return frameOf(id, 'account.log', JSON.stringify({ accountId, ...lineView(line) }))
}

/** A line as the API shows it. */
export function lineView({ atMs, sequence, level, event, message, fields }: BookedLine): {
  sequence: number
  at: string
  level: BookedLine['level']
  event: string | null
  message: string
  fields: Record<string, unknown>
} {
  return { sequence, at: iso(atMs), level, event, message, fields }
}
