import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { ERROR_STATUS, SimulatorError } from './errors.ts'
import { HOST, listenOn } from './listener.ts'
import { matchRoute, type RouteRequest } from './control-routes.ts'
import type { Simulator } from './simulator.ts'

export interface ControlServer {
  /** http://127.0.0.1:PORT */
  readonly url: string
  /** Ends it and cuts what is open; may be called twice. */
  close(): Promise<void>
}

/** The largest body that makes sense is a QR text or a message: some hundred bytes. */
const BODY_BYTES_MAX = 65_536
const NO_CONTENT = 204

/**
 * Serves the simulator's functions as HTTP with JSON, on loopback. An error has the form `{"error":{"code","message"}}`
 * and the status of its code. Rejects with `cannot_start` when the port can't be used.
 */
export async function startControl(simulator: Simulator, port: number): Promise<ControlServer> {
  const server = createServer((request, response) => void handleControl(simulator, request, response))
  // A client's connections stay: ending an idle one crosses with the next call over it, which is then reset.
  server.keepAliveTimeout = 0
  await listenOn(server, port)
  const address = server.address()
  const boundPort = typeof address === 'object' && address ? address.port : port
  let closing: Promise<void> | undefined
  return {
    url: `http://${HOST}:${boundPort}`,
    close() {
      closing ??= new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      return closing
    },
  }
}

/** Answers one request; never rejects. */
export async function handleControl(
  simulator: Simulator,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    refuseBrowsers(request)
    const url = new URL(request.url ?? '/', `http://${HOST}`)
    const { route, params } = matchRoute(request.method ?? 'GET', url.pathname)
    const body = await readBody(request)
    const input: RouteRequest = { params, query: url.searchParams, text: body, json: () => parseJson(body) }
    const result = await route.handle(simulator, input)
    if (result === undefined) response.writeHead(NO_CONTENT).end()
    else sendJson(response, 200, result)
  } catch (error) {
    const known = error instanceof SimulatorError ? error : undefined
    sendJson(response, known ? ERROR_STATUS[known.code] : 500, {
      error: { code: known?.code ?? 'internal', message: error instanceof Error ? error.message : String(error) },
    })
  }
}

/** A web page in a browser on this machine could reach loopback too; pages send an origin, or come under another name. */
function refuseBrowsers({ headers }: IncomingMessage): void {
  const name = headers.host?.replace(/:\d+$/, '')
  if (headers.origin !== undefined || (name !== HOST && name !== 'localhost')) {
    throw new SimulatorError(
      'bad_request',
      'this interface is for programs on this machine: no Origin, and Host 127.0.0.1',
    )
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let sizeBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length
    if (sizeBytes > BODY_BYTES_MAX) {
      throw new SimulatorError('bad_request', `the body has more than ${BODY_BYTES_MAX} bytes`)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string): unknown {
  try {
    return text.trim() === '' ? {} : (JSON.parse(text) as unknown)
  } catch (cause) {
    throw new SimulatorError('bad_request', 'the body is no JSON', { cause })
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  if (response.headersSent) return
  const text = `${JSON.stringify(value)}\n`
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}
