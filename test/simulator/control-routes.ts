import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { SimulatorError } from './errors.ts'
import { EVENT_TYPES } from './events.ts'
import { parseFault, type FaultHandle } from './faults.ts'
import type { Simulator } from './simulator.ts'

export interface RouteRequest {
  readonly params: Readonly<Record<string, string>>
  readonly query: URLSearchParams
  readonly text: string
  /** The body as JSON, `{}` when empty. Throws `bad_request`. */
  json(): unknown
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for a part that varies. */
  readonly path: string
  readonly does: string
  /** What it returns is the JSON of a 200; undefined is a 204. */
  handle(simulator: Simulator, request: RouteRequest): unknown
}

const strict = { additionalProperties: false }
const Digits = Type.String({ pattern: '^[1-9][0-9]{4,14}$' })
/** WhatsApp's have 18 today. */
const GroupDigits = Type.String({ pattern: '^[1-9][0-9]{9,19}$' })
const ScanBody = Type.Object({ qr: Type.String({ minLength: 1 }), phone: Type.Optional(Digits) }, strict)
const CodeBody = Type.Object({ phone: Digits, code: Type.String({ minLength: 1 }) }, strict)
const MessageBody = Type.Object(
  {
    to: Digits,
    from: Digits,
    text: Type.String({ minLength: 1 }),
    addressing: Type.Optional(Type.Union([Type.Literal('lid'), Type.Literal('pn')])),
    group: Type.Optional(GroupDigits),
  },
  strict,
)
const PhoneBody = Type.Object({ phone: Digits }, strict)
const DropBody = Type.Object({ phone: Type.Optional(Digits) }, strict)
const WaitBody = Type.Object(
  {
    type: Type.Union(EVENT_TYPES.map((type) => Type.Literal(type))),
    phone: Type.Optional(Digits),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 600_000 })),
    since: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  strict,
)

/** Where Baileys' own end-to-end suite posts the QR text, on the host and port of the WebSocket. */
export const SCAN_QR_PATH = '/admin/mock-phone/scan-qr'

/** Everything that the control interface can do. */
export const ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/',
    does: 'where clients connect, the root key, and this list',
    handle: ({ url, port, noiseRootKey }) => ({
      url,
      port,
      noiseRootKey,
      endpoints: ROUTES.map(({ method, path, does }) => `${method} ${path}: ${does}`),
    }),
  },
  {
    method: 'POST',
    path: '/scan',
    does: 'a phone scans a QR: {qr, phone?}',
    handle: (simulator, request) => {
      const { qr, phone } = read(ScanBody, request)
      return simulator.scanQr(qr, phone)
    },
  },
  {
    method: 'POST',
    path: SCAN_QR_PATH,
    does: "the same with the QR text as body, as Baileys' own end-to-end suite does it; answered on the WebSocket port too",
    handle: (simulator, { text }) => simulator.scanQr(text),
  },
  {
    method: 'POST',
    path: '/pairing-code',
    does: 'a pairing code is typed on a phone: {phone, code}',
    handle: (simulator, request) => {
      const { phone, code } = read(CodeBody, request)
      return simulator.enterPairingCode(phone, code)
    },
  },
  {
    method: 'POST',
    path: '/messages',
    does: 'a phone writes to another: {to, from, text, addressing?: "lid" | "pn"}, or in a group that both are in: {to, from, text, group}',
    handle: (simulator, request) => {
      const { addressing, group, ...message } = read(MessageBody, request)
      if (group !== undefined) {
        if (addressing === undefined) return simulator.sendGroupText({ ...message, group })
        throw new SimulatorError('bad_request', 'a message in a group takes no addressing: leave out one of the two')
      }
      return simulator.sendText({ ...message, ...(addressing ? { addressing } : {}) })
    },
  },
  {
    method: 'POST',
    path: '/messages/:id/read',
    does: 'the recipient reads a message of the account: {phone: the account}',
    handle: (simulator, request) => simulator.markRead(read(PhoneBody, request).phone, param(request, 'id')),
  },
  {
    method: 'GET',
    path: '/messages/:id/receipts',
    does: 'what clients answered to a message',
    handle: (simulator, request) => simulator.receiptsOf(param(request, 'id')),
  },
  {
    method: 'GET',
    path: '/phones',
    does: 'phones with linked devices; ?everybody=true: contacts too',
    handle: (simulator, { query }) => simulator.phones({ everybody: query.get('everybody') === 'true' }),
  },
  {
    method: 'GET',
    path: '/phones/:phone/sent',
    does: 'what the account sent, as its recipients read it',
    handle: (simulator, request) => simulator.sentBy(param(request, 'phone')),
  },
  {
    method: 'DELETE',
    path: '/phones/:phone/devices',
    does: 'the phone removes its linked devices',
    handle: (simulator, request) => simulator.unlink(param(request, 'phone')),
  },
  {
    method: 'DELETE',
    path: '/phones/:phone/devices/:deviceId',
    does: 'the phone removes one linked device',
    handle: (simulator, request) => simulator.unlink(param(request, 'phone'), numberParam(request, 'deviceId')),
  },
  { method: 'GET', path: '/connections', does: 'live connections', handle: (simulator) => simulator.connections() },
  {
    method: 'POST',
    path: '/connections/drop',
    does: 'cuts connections, all or those of {phone?}',
    handle: (simulator, request) => ({ dropped: simulator.dropAll(read(DropBody, request).phone) }),
  },
  { method: 'GET', path: '/attempts', does: 'all tries to connect', handle: (simulator) => simulator.attempts() },
  {
    method: 'GET',
    path: '/faults',
    does: 'armed faults',
    handle: (simulator) => simulator.faults().map(describeFault),
  },
  {
    method: 'POST',
    path: '/faults',
    does: 'arms a fault: {kind, ...}',
    handle: (simulator, request) => describeFault(simulator.inject(parseFault(request.json()))),
  },
  { method: 'DELETE', path: '/faults', does: 'ends all faults', handle: (simulator) => simulator.clearFaults() },
  {
    method: 'DELETE',
    path: '/faults/:id',
    does: 'ends a fault',
    handle: (simulator, request) => {
      const id = numberParam(request, 'id')
      const handle = simulator.faults().find((fault) => fault.id === id)
      if (!handle)
        throw new SimulatorError('not_found', `no fault ${id} is armed: it was ended, or has struck as often as asked`)
      handle.clear()
    },
  },
  {
    method: 'POST',
    path: '/listener/stop',
    does: 'new connections are refused, live ones stay',
    handle: (simulator) => simulator.stopListening(),
  },
  {
    method: 'POST',
    path: '/listener/start',
    does: 'new connections are taken again, on the same port',
    handle: (simulator) => simulator.listen(),
  },
  {
    method: 'GET',
    path: '/events',
    does: 'what happened; ?since=N: after that event',
    handle: (simulator, { query }) => simulator.events(Number(query.get('since') ?? '0')),
  },
  {
    method: 'POST',
    path: '/wait',
    does: 'answers with the next event: {type, phone?, timeoutMs?, since?}',
    handle: (simulator, request) => {
      const { type, ...options } = read(WaitBody, request)
      return simulator.waitFor(type, withoutUndefined(options))
    },
  },
]

/** Finds who answers. Throws `not_found` or `method_not_allowed`. */
export function matchRoute(
  method: string,
  path: string,
): { readonly route: Route; readonly params: Record<string, string> } {
  const matches = ROUTES.flatMap((route) => {
    const params = matchPath(route.path, path)
    return params ? [{ route, params }] : []
  })
  const found = matches.find(({ route }) => route.method === method)
  if (found) return found
  if (matches.length === 0) throw new SimulatorError('not_found', `no endpoint ${path}; GET / lists them`)
  const allowed = matches.map(({ route }) => route.method).join(', ')
  throw new SimulatorError('method_not_allowed', `${path} takes ${allowed}, not ${method}`)
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  const seen = path.split('/')
  if (wanted.length !== seen.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, part] of wanted.entries()) {
    const value = seen[index] ?? ''
    if (part.startsWith(':') && value !== '') params[part.slice(1)] = value
    else if (part !== value) return undefined
  }
  return params
}

function read<S extends TSchema>(schema: S, request: RouteRequest): Static<S> {
  const value = request.json()
  const [problem] = Value.Errors(schema, value)
  if (problem) throw new SimulatorError('bad_request', `the body${problem.instancePath}: ${problem.message}`)
  return value as Static<S>
}

function param({ params }: RouteRequest, name: string): string {
  return params[name] ?? ''
}

function numberParam(request: RouteRequest, name: string): number {
  const text = param(request, name)
  if (!/^\d{1,9}$/.test(text)) throw new SimulatorError('bad_request', `${name} is "${text}": wanted a whole number`)
  return Number(text)
}

function describeFault({ id, fault, hits }: FaultHandle): Record<string, unknown> {
  return { id, hits, fault }
}

/** Optional fields that are absent, for types that tell absent from undefined. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }
}
