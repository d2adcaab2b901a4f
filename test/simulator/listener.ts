import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { SimulatorError } from './errors.ts'

/** Loopback only: the simulator holds private keys and takes orders from anybody who can connect. */
export const HOST = '127.0.0.1'
/** Where clients connect, as on the real service. */
export const WS_PATH = '/ws/chat'

export type UpgradeAnswer =
  { readonly action: 'accept' | 'ignore' } | { readonly action: 'refuse'; readonly status: number }

export interface ListenerHandlers {
  decideUpgrade(): UpgradeAnswer
  onConnection(socket: WebSocket): void
  /** A plain HTTP request on the same port. */
  onRequest(request: IncomingMessage, response: ServerResponse): void
}

/** The TCP port that clients connect to; may stop and start again without losing its port or its live connections. */
export class Listener {
  readonly #handlers: ListenerHandlers
  readonly #sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  readonly #tcp = new Set<Socket>()
  #server: Server | undefined
  #port: number

  /** `port` 0: the system picks one at the first `start`. */
  constructor(port: number, handlers: ListenerHandlers) {
    this.#port = port
    this.#handlers = handlers
  }

  get port(): number {
    return this.#port
  }

  /** Throws `cannot_start` when the port is taken or not allowed. */
  async start(): Promise<void> {
    if (this.#server) return
    const server = createServer((request, response) => this.#handlers.onRequest(request, response))
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
    server.on('connection', (socket) => {
      this.#tcp.add(socket)
      socket.on('close', () => this.#tcp.delete(socket))
    })
    await listenOn(server, this.#port)
    const address = server.address()
    if (typeof address === 'object' && address) this.#port = address.port
    this.#server = server
  }

  /** Refuses new connections; those that are open live on. Resolves when the port is free. */
  async stop(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (!server) return
    // The callback comes when the last connection is gone; the port is free at once.
    server.close()
    server.closeIdleConnections()
  }

  /** Stops, and cuts every connection that is left. */
  async close(): Promise<void> {
    await this.stop()
    for (const socket of this.#tcp) socket.destroy()
    this.#sockets.close()
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy())
    if (request.url?.split('?')[0] !== WS_PATH) {
      refuse(socket, 404)
      return
    }
    const answer = this.#handlers.decideUpgrade()
    switch (answer.action) {
      case 'accept':
        this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#handlers.onConnection(ws))
        return
      case 'refuse':
        refuse(socket, answer.status)
        return
      case 'ignore':
        // Reads on, to notice when the client gives up.
        socket.on('end', () => socket.destroy()).resume()
        return
      default:
        answer satisfies never
    }
  }
}

/** Listens on loopback. Throws `cannot_start` with the port and the remedy. */
export function listenOn(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (cause: NodeJS.ErrnoException): void => {
      const remedy =
        cause.code === 'EADDRINUSE'
          ? 'another program has it; choose another port, or 0 for any free one'
          : 'choose another port, or 0 for any free one'
      reject(
        new SimulatorError(
          'cannot_start',
          `can't listen on ${HOST}:${port} (${cause.code ?? cause.message}): ${remedy}`,
          { cause },
        ),
      )
    }
    server.once('error', onError)
    server.listen(port, HOST, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

function refuse(socket: Duplex, status: number): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  )
}
