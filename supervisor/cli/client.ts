import { setTimeout as pause } from 'node:timers/promises'
import { Type, type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import { Dashboard } from '../http/schemas/dashboard.ts'
import { CliError, passes } from './cli-error.ts'
import type { Settings } from './settings.ts'

/** A client of the API, as any other program is one. */
const Failure = Compile(Type.Object({ error: Type.Object({ code: Type.String(), message: Type.String() }) }))
const dashboard = Compile(Dashboard)

export type DashboardView = Static<typeof Dashboard>
export type AccountView = DashboardView['accounts'][number]

/** Longer than add-account waits for a QR code, and remove for a flush. */
const REQUEST_DEADLINE_MS = 60_000
/** The service sends something every 15 s. */
const SILENCE_MS = 45_000
const RECONNECT_MS = 2000

/** Of the event stream; a test has shorter ones. */
export interface StreamTimes {
  silenceMs: number
  reconnectMs: number
}

export interface SentEvent {
  name: string
  data: unknown
}

export class Client {
  readonly #settings: Settings
  readonly #times: StreamTimes

  constructor(settings: Settings, times: StreamTimes = { silenceMs: SILENCE_MS, reconnectMs: RECONNECT_MS }) {
    this.#settings = settings
    this.#times = times
  }

  dashboard(): Promise<DashboardView> {
    return this.ask('GET', '/api/status/dashboard', dashboard)
  }

  /** @throws CliError refused (the service says why), unavailable, badConfig */
  async ask<T>(method: string, path: string, shape: { Check(value: unknown): value is T }, body?: unknown): Promise<T> {
    const response = await this.#fetch(path, {
      method,
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    })
    const answer: unknown = await response.json().catch(() => undefined)
    if (response.ok && shape.Check(answer)) return answer
    throw this.#refusal(response, answer)
  }

  /** A QR code drawn in half blocks; undefined where none is offered now. */
  async qrText(accountId: string): Promise<string | undefined> {
    const response = await this.#fetch(`/api/whatsapp/accounts/${accountId}/qr`, {
      headers: { accept: 'text/plain' },
      signal: AbortSignal.timeout(REQUEST_DEADLINE_MS),
    })
    if (response.ok) return response.text().catch((error: unknown) => this.#unavailable(error))
    const answer: unknown = await response.json().catch(() => undefined)
    if (Failure.Check(answer) && answer.error.code === 'qr_not_offered') return undefined
    throw this.#refusal(response, answer)
  }

  /**
   * The event stream, for as long as it is listened to: a connection that is lost is opened again, from where it ended.
   * @param onLost told of each loss, and of each try that failed; the first connection has to be made
   * @throws CliError where the service does not answer at first, or says no
   */
  async *events(query: string, onLost: (why: string) => void): AsyncGenerator<SentEvent> {
    let lastId: string | undefined
    let wasOpen = false
    for (;;) {
      try {
        for await (const { id, ...event } of this.#stream(query, lastId, () => (wasOpen = true))) {
          lastId = id
          yield event
        }
        onLost('the service closed the stream')
      } catch (error) {
        if (!wasOpen || (error instanceof CliError && !passes(error))) throw error
        onLost(error instanceof CliError ? error.message : causeOf(error))
      }
      await pause(this.#times.reconnectMs)
    }
  }

  async *#stream(
    query: string,
    lastId: string | undefined,
    onOpen: () => void,
  ): AsyncGenerator<SentEvent & { id: string }> {
    const { silenceMs } = this.#times
    const silence = new AbortController()
    const onSilence = (): void => silence.abort(new Error('nothing came for too long'))
    let timer = setTimeout(onSilence, silenceMs)
    try {
      const response = await this.#fetch(`/api/events${query}`, {
        headers: lastId === undefined ? {} : { 'last-event-id': lastId },
        signal: silence.signal,
      })
      if (!response.ok || response.body === null) {
        throw this.#refusal(response, await response.json().catch(() => undefined))
      }
      onOpen()
      const decoder = new TextDecoder()
      let rest = ''
      for await (const chunk of response.body) {
        clearTimeout(timer)
        timer = setTimeout(onSilence, silenceMs)
        const blocks = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n\n')
        rest = blocks.pop() ?? ''
        for (const block of blocks) {
          const event = parseEvent(block)
          if (event !== undefined) yield event
        }
      }
    } finally {
      clearTimeout(timer)
      silence.abort()
    }
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const { url, token } = this.#settings
    try {
      const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` }
      return await fetch(url + path, { ...init, headers })
    } catch (error) {
      return this.#unavailable(error)
    }
  }

  #unavailable(error: unknown): never {
    throw new CliError(
      'unavailable',
      `The service does not answer at ${this.#settings.url} (${causeOf(error)}): start it, or give --url, or set ` +
        'HOST and PORT as they are for it.',
    )
  }

  #refusal(response: Response, answer: unknown): CliError {
    const { url } = this.#settings
    if (!Failure.Check(answer)) {
      return new CliError('unavailable', `What answers at ${url} is not this service (status ${response.status}).`)
    }
    const { code, message } = answer.error
    if (response.status === 401) {
      return new CliError('badConfig', `The service at ${url} refuses the token. ${message}`, code)
    }
    return new CliError('refused', message, code)
  }
}

export function shapeOf<T extends TSchema>(schema: T): { Check(value: unknown): value is Static<T> } {
  return Compile(schema) as { Check(value: unknown): value is Static<T> }
}

/** fetch says "terminated" and "fetch failed", and what it was as the cause. */
function causeOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  return errnoOf(cause) ?? messageOf(cause)
}

/** A block of an event stream; undefined for comments and `retry`. */
function parseEvent(block: string): (SentEvent & { id: string }) | undefined {
  const fields = new Map<string, string>()
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
  }
  const [data, name, id] = [fields.get('data'), fields.get('event'), fields.get('id')]
  return data === undefined || name === undefined || id === undefined ? undefined : { id, name, data: JSON.parse(data) }
}
