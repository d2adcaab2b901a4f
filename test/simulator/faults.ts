import Type, { type Static } from 'typebox'
import { Value } from 'typebox/value'
import { SimulatorError } from './errors.ts'

/** Where in its life a connection is hit: while a QR is offered, in place of `<success>`, or once it is online. */
const During = Type.Union([Type.Literal('registering'), Type.Literal('login'), Type.Literal('online')])

const scope = {
  /** Digits of the account's number; absent: everybody. */
  phone: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{4,14}$' })),
  /** How often it strikes; 1 when absent. */
  times: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Literal('until_cleared')])),
}

/** Faults of a stage where nobody knows yet who connects: they can't be limited to a phone. */
const anonymousScope = { times: scope.times }

const CONNECTION_FAULTS = [
  Type.Object({ kind: Type.Literal('drop'), during: Type.Optional(During), ...scope }),
  Type.Object({
    kind: Type.Literal('close'),
    code: Type.Optional(Type.Integer({ minimum: 1000, maximum: 4999 })),
    during: Type.Optional(During),
    ...scope,
  }),
  Type.Object({ kind: Type.Literal('freeze'), during: Type.Optional(During), ...scope }),
  Type.Object({ kind: Type.Literal('silence'), during: Type.Optional(During), ...scope }),
  Type.Object({
    kind: Type.Literal('stream_error'),
    code: Type.Optional(Type.Integer({ minimum: 100, maximum: 999 })),
    conflict: Type.Optional(Type.Union([Type.Literal('replaced'), Type.Literal('device_removed')])),
    /** The name of an empty element inside, as 'ack' or 'xml-not-well-formed'. */
    child: Type.Optional(Type.String({ pattern: '^[a-z][a-z-]*$' })),
    during: Type.Optional(During),
    ...scope,
  }),
  Type.Object({ kind: Type.Literal('stream_end'), during: Type.Optional(During), ...scope }),
  Type.Object({ kind: Type.Literal('downgrade'), during: Type.Optional(During), ...scope }),
  Type.Object({ kind: Type.Literal('corrupt_frame'), during: Type.Optional(During), ...scope }),
  Type.Object({ kind: Type.Literal('unparsable_node'), during: Type.Optional(During), ...scope }),
] as const

const LOGIN_FAULT = Type.Object({
  kind: Type.Literal('fail_login'),
  /** Goes on the wire as it is; 515 is sent as a stream error, for there is no failure of that number. */
  reason: Type.Integer({ minimum: 100, maximum: 999 }),
  /** Further attributes of `<failure>`, as `code` and `expire` of a temporary ban. */
  attrs: Type.Optional(Type.Record(Type.String(), Type.String())),
  ...scope,
})

const BEHAVIOUR_FAULTS = [
  Type.Object({ kind: Type.Literal('no_success'), ...scope }),
  Type.Object({ kind: Type.Literal('stall_login'), ...scope }),
  Type.Object({ kind: Type.Literal('ignore_encrypt'), ...scope }),
  Type.Object({ kind: Type.Literal('ignore_pings'), ...scope }),
  Type.Object({ kind: Type.Literal('ignore_usync'), ...scope }),
  Type.Object({ kind: Type.Literal('refuse_active'), ...scope }),
  Type.Object({ kind: Type.Literal('refuse_messages'), code: Type.Integer({ minimum: 400, maximum: 599 }), ...scope }),
  Type.Object({ kind: Type.Literal('withhold_message_acks'), ...scope }),
  Type.Object({ kind: Type.Literal('corrupt_message'), ...scope }),
  /** The signature of a message to a group is not its writer's. */
  Type.Object({ kind: Type.Literal('forge_group_message'), ...scope }),
  Type.Object({ kind: Type.Literal('ask_retry'), ...scope }),
  Type.Object({ kind: Type.Literal('forget_receipt'), ...scope }),
  Type.Object({ kind: Type.Literal('wrong_pair_hmac'), ...scope }),
  Type.Object({ kind: Type.Literal('require_passkey'), ...scope }),
] as const

const ANONYMOUS_FAULTS = [
  Type.Object({
    kind: Type.Literal('refuse_upgrade'),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    ...anonymousScope,
  }),
  Type.Object({ kind: Type.Literal('never_upgrade'), ...anonymousScope }),
  Type.Object({
    kind: Type.Literal('delay_handshake'),
    delayMs: Type.Integer({ minimum: 1, maximum: 600_000 }),
    ...anonymousScope,
  }),
  Type.Object({ kind: Type.Literal('no_server_hello'), ...anonymousScope }),
  Type.Object({ kind: Type.Literal('bad_certificate'), ...anonymousScope }),
  Type.Object({
    kind: Type.Literal('outdated_client'),
    /** The oldest third number of a client version (2.3000.REVISION) that may log in or register. */
    belowRevision: Type.Integer({ minimum: 1 }),
    ...anonymousScope,
  }),
] as const

const ALL_FAULTS = [...CONNECTION_FAULTS, LOGIN_FAULT, ...BEHAVIOUR_FAULTS, ...ANONYMOUS_FAULTS] as const

type ConnectionFaultShape = Static<(typeof CONNECTION_FAULTS)[number]>
/** A fault that strikes a whole connection at one moment. */
export type ConnectionFault = ConnectionFaultShape | Static<typeof LOGIN_FAULT>
/** What can be done to a client; the README's table says what each looks like from its side. */
export type Fault = Static<(typeof ALL_FAULTS)[number]>
export type FaultKind = Fault['kind']
export type FaultMoment = Static<typeof During>
type BehaviourKind = Exclude<FaultKind, ConnectionFault['kind']>
type FaultOfKind<K extends FaultKind> = Extract<Fault, { kind: K }>

export interface FaultHandle {
  readonly id: number
  readonly fault: Fault
  /** How often it struck so far. */
  readonly hits: number
  /** Ends it; may be called twice. */
  clear(): void
}

const CONNECTION_KINDS = new Set<string>(CONNECTION_FAULTS.map((schema) => schema.properties.kind.const))
CONNECTION_KINDS.add(LOGIN_FAULT.properties.kind.const)
const SCHEMA_OF_KIND = new Map(ALL_FAULTS.map((schema) => [schema.properties.kind.const as string, schema]))

/** Throws `bad_request` with what is wrong; unknown properties are refused, for a misspelt one would be silently ignored. */
export function parseFault(value: unknown): Fault {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined
  const schema = typeof kind === 'string' ? SCHEMA_OF_KIND.get(kind) : undefined
  if (!schema) {
    throw new SimulatorError(
      'bad_request',
      `unknown fault kind ${JSON.stringify(kind)}: wanted one of ${[...SCHEMA_OF_KIND.keys()].join(', ')}`,
    )
  }
  const unknown = Object.keys(value as object).filter((name) => !(name in schema.properties))
  if (unknown.length > 0) {
    throw new SimulatorError(
      'bad_request',
      `fault ${String(kind)} has no "${unknown.join('", "')}": it takes ${Object.keys(schema.properties).join(', ')}`,
    )
  }
  const [problem] = Value.Errors(schema, value)
  if (problem)
    throw new SimulatorError('bad_request', `fault ${String(kind)}${problem.instancePath}: ${problem.message}`)
  return value as Fault
}

interface ArmedFault extends FaultHandle {
  hits: number
}

/** The faults that are armed, in the order in which they were injected: the oldest that fits strikes. */
export class FaultBoard {
  #armed: ArmedFault[] = []
  #nextId = 1
  readonly #onHit: (handle: FaultHandle, phone: string | undefined) => void

  constructor(onHit: (handle: FaultHandle, phone: string | undefined) => void) {
    this.#onHit = onHit
  }

  arm(fault: Fault): FaultHandle {
    const armed: ArmedFault = {
      id: this.#nextId++,
      fault,
      hits: 0,
      clear: () => {
        this.#armed = this.#armed.filter((other) => other !== armed)
      },
    }
    this.#armed.push(armed)
    return armed
  }

  list(): readonly FaultHandle[] {
    return this.#armed
  }

  clear(): void {
    this.#armed = []
  }

  /** The armed fault of this kind that strikes this phone now, counted as one hit. */
  take<K extends BehaviourKind>(kind: K, phone?: string): FaultOfKind<K> | undefined {
    return this.#take((fault): fault is FaultOfKind<K> => fault.kind === kind, phone)
  }

  /** The armed fault that strikes a whole connection at this moment of its life. */
  takeFor(moment: FaultMoment, phone?: string): ConnectionFault | undefined {
    return this.#take((fault): fault is ConnectionFault => momentOf(fault) === moment, phone)
  }

  #take<F extends Fault>(fits: (fault: Fault) => fault is F, phone: string | undefined): F | undefined {
    for (const armed of this.#armed) {
      const { fault } = armed
      if (!fits(fault)) continue
      if ('phone' in fault && fault.phone !== undefined && fault.phone !== phone) continue
      armed.hits += 1
      const { times = 1 } = fault
      if (times !== 'until_cleared' && armed.hits >= times) armed.clear()
      this.#onHit(armed, phone)
      return fault
    }
    return undefined
  }
}

function momentOf(fault: Fault): FaultMoment | undefined {
  if (!CONNECTION_KINDS.has(fault.kind)) return undefined
  if (fault.kind === 'fail_login') return 'login'
  return 'during' in fault && fault.during !== undefined ? fault.during : 'online'
}
