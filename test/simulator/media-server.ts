import { once } from 'node:events'
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { EventLog } from './events.ts'
import { HOST } from './listener.ts'
import { makeTlsCertificate } from './tls-certificate.ts'

/** Media of messages is far smaller; what is beyond is refused. */
const MOST_BYTES = 16 * 1024 * 1024
/** The oldest goes first. */
const MOST_FILES = 64

/**
 * Where clients upload what is in their messages, encrypted by them, and fetch it again: HTTPS, as the service has it.
 * Whoever asks with the path of an upload gets it; there is no authorization.
 */
export class MediaServer {
  readonly #server: Server
  readonly #events: EventLog
  readonly #files = new Map<string, Buffer>()
  /** PEM; a client trusts it as its CA. */
  readonly certificate: string

  constructor(events: EventLog) {
    const { key, cert } = makeTlsCertificate(HOST)
    this.certificate = cert
    this.#events = events
    this.#server = createServer({ key, cert }, (request, response) => void this.#answer(request, response))
  }

  async start(): Promise<void> {
    this.#server.listen(0, HOST)
    await once(this.#server, 'listening')
  }

  /** What `media_conn` names. */
  get hostname(): string {
    return `${HOST}:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', `https://${this.hostname}`)
    if (request.method === 'GET') {
      const file = this.#files.get(pathname)
      if (file === undefined) response.writeHead(404).end()
      else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(file)
      return
    }
    const chunks: Buffer[] = []
    let sizeBytes = 0
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        sizeBytes += chunk.length
        if (sizeBytes > MOST_BYTES) return void response.writeHead(413).end()
        chunks.push(chunk)
      }
    } catch {
      return // The client went away.
    }
    this.#files.set(pathname, Buffer.concat(chunks))
    const [oldest] = this.#files.keys()
    if (this.#files.size > MOST_FILES && oldest !== undefined) this.#files.delete(oldest)
    this.#events.emit({ type: 'media.uploaded', path: pathname, sizeBytes })
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ url: `https://${this.hostname}${pathname}`, direct_path: pathname }))
  }
}
