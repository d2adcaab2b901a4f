import fc from 'fast-check'
import t from 'tap'
import {
  parseFromWorker,
  parseToWorker,
  type FromWorker,
  type StartMessage,
  type ToWorker,
} from '../../../shared/ipc.ts'
import { REASON_NAMES } from '../../../shared/states.ts'

const START: StartMessage = {
  type: 'start',
  accountId: 'a',
  phone: null,
  sessionsPath: '/x',
  pairing: false,
  recover: null,
  logLevel: 'info',
  logTarget: { kind: 'pretty', colour: true },
  socket: { url: null, noiseRootKey: null, version: [2, 3000, 1], knownGood: [2, 3000, 1] },
  policy: {
    maxReconnectAttempts: 5,
    refusalPeriodMs: 0,
    healthCheckIntervalMs: 1,
    staleConnectionThresholdMs: 1,
    renewAfterSockets: 1,
  },
  retirement: { memoryLimitBytes: 1, minUptimeMs: 1 },
  heartbeatIntervalMs: 5000,
  backup: false,
}
/** One of each kind: the compiler sees to it that none is missing. */
const TO_WORKER: { [K in ToWorker['type']]: Extract<ToWorker, { type: K }> } = {
  start: START,
  permit: { type: 'permit', shared: false },
  retry: { type: 'retry' },
  abandon: { type: 'abandon' },
  pair: { type: 'pair' },
  request_pairing_code: { type: 'request_pairing_code', requestId: 1 },
  number_taken: { type: 'number_taken' },
  set_aside_answer: { type: 'set_aside_answer', allowed: true },
  use_version: { type: 'use_version', version: [2, 3000, 1] },
  messages_received: { type: 'messages_received', stream: 's', sequence: 1 },
  log_out: { type: 'log_out' },
  retire: { type: 'retire' },
  snapshot_request: { type: 'snapshot_request', requestId: 1 },
  stop: { type: 'stop', lastSnapshot: { requestId: 1, savedRevision: null } },
}
const FROM_WORKER: { [K in FromWorker['type']]: Extract<FromWorker, { type: K }> } = {
  retire_request: { type: 'retire_request' },
  ready: { type: 'ready', version: [2, 3000, 1] },
  code_cache_unused: { type: 'code_cache_unused', cause: 'it is damaged' },
  heartbeat: {
    type: 'heartbeat',
    rssBytes: 1,
    loopDelayMs: 0.5,
    cpuMs: 900.5,
    counts: { messagesIn: 1, messagesOut: 0, decryptFailures: 0 },
    activity: { lastFrameAtMs: 1, lastEventAtMs: 1, lastMessageInAtMs: null, lastAckedOutAtMs: 1 },
  },
  log: {
    type: 'log',
    lines: [{ atMs: 1, level: 'warn', event: null, message: 'Worker', fields: { pid: 1 } }],
    dropped: 0,
  },
  permit_request: { type: 'permit_request', firstLogin: false },
  permit_result: { type: 'permit_result', result: 'answered' },
  connection: {
    type: 'connection',
    status: 'disconnected',
    reason: 'replaced',
    code: 440,
    attempt: 1,
    nextTryAtMs: 5.5,
  },
  qr: { type: 'qr', text: 'secret', expiresAtMs: 5 },
  pairing_code: { type: 'pairing_code', requestId: 1, code: 'ABCDEFGH' },
  identity: { type: 'identity', phone: '+40712345678' },
  recovered: {
    type: 'recovered',
    recovery: { from: 'readable', atMs: 1, recordsKept: 2, recordsLost: 1, bytesLeftOut: 10, revision: 2 },
  },
  set_aside_request: { type: 'set_aside_request' },
  version_verdict: { type: 'version_verdict', version: [2, 3000, 1], accepted: true },
  messages: { type: 'messages', stream: 's', messages: [{ sequence: 1, id: 'A', atMs: 1 }] },
  fault: { type: 'fault', reason: 'storage_full', message: 'no space', holderPid: null },
  session_changed: { type: 'session_changed', revision: 1, creds: true, paired: false },
  snapshot: { type: 'snapshot', requestId: 1, revision: 1, linked: true, data: 'AAAA' },
  stopped: { type: 'stopped' },
}
/** What arrives on the other side of fork()'s channel. */
const sent = (message: unknown): unknown => JSON.parse(JSON.stringify(message))

t.test('every kind of message arrives as it was sent', async (t) => {
  for (const message of Object.values(TO_WORKER)) t.strictSame(parseToWorker(sent(message)), message, message.type)
  for (const message of Object.values(FROM_WORKER)) t.strictSame(parseFromWorker(sent(message)), message, message.type)
})

t.test('what may be unknown may be null', async (t) => {
  const nulls = [
    { ...FROM_WORKER.connection, reason: null, code: null, nextTryAtMs: null },
    { ...FROM_WORKER.qr, text: null, expiresAtMs: null },
  ]
  for (const message of nulls) t.strictSame(parseFromWorker(sent(message)), message)
  const socket = { url: 'ws://127.0.0.1:1', noiseRootKey: 'ab', version: null, knownGood: null }
  t.strictSame(parseToWorker({ ...START, phone: '+1', socket }), { ...START, phone: '+1', socket })
})

t.test('every reason passes', async (t) => {
  for (const reason of REASON_NAMES) t.ok(parseFromWorker({ ...FROM_WORKER.connection, reason }), reason)
})

t.test('a message with any field missing, or of another type, is none', async (t) => {
  const check = (kinds: Record<string, object>, parse: (message: unknown) => unknown): void => {
    for (const message of Object.values(kinds)) {
      for (const field of Object.keys(message)) {
        const rest = Object.fromEntries(Object.entries(message).filter(([name]) => name !== field))
        t.equal(parse(rest), undefined, `${JSON.stringify(message)} without ${field}`)
        t.equal(parse({ ...message, [field]: { not: 'this' } }), undefined, `${field} as an object`)
      }
    }
  }
  check(TO_WORKER, parseToWorker)
  check(FROM_WORKER, parseFromWorker)
})

t.test('values outside of their lists and ranges are refused', async (t) => {
  const bad = [
    { ...FROM_WORKER.permit_result, result: 'maybe' },
    { ...FROM_WORKER.connection, status: 'online' },
    { ...FROM_WORKER.connection, reason: 'toString' },
    { ...FROM_WORKER.connection, code: 4.5 },
    { ...FROM_WORKER.heartbeat, rssBytes: 1.5 },
    { ...FROM_WORKER.heartbeat, loopDelayMs: null },
    { ...FROM_WORKER.heartbeat, loopDelayMs: Number.NaN },
    { ...FROM_WORKER.heartbeat, counts: { ...FROM_WORKER.heartbeat.counts, messagesIn: 0.5 } },
    { ...FROM_WORKER.log, lines: [{ ...FROM_WORKER.log.lines[0], level: 'debug' }] },
    { type: 'readyy' },
  ]
  for (const message of bad) t.equal(parseFromWorker(message), undefined, JSON.stringify(message))
  t.equal(parseToWorker({ ...START, socket: { ...START.socket, version: [2, 3000] } }), undefined)
  t.equal(parseToWorker({ ...START, socket: { ...START.socket, version: [2, 3000, 1, 1] } }), undefined)
  t.equal(parseToWorker({ ...START, policy: {} }), undefined)
})

t.test('the two directions do not understand each other, and nobody understands garbage', async (t) => {
  for (const message of Object.values(TO_WORKER)) t.equal(parseFromWorker(message), undefined, message.type)
  for (const message of Object.values(FROM_WORKER)) t.equal(parseToWorker(message), undefined, message.type)
  for (const garbage of [
    undefined,
    null,
    0,
    '',
    'ready',
    [],
    {},
    { type: null },
    [{ type: 'ready' }],
    Buffer.from('x'),
  ]) {
    t.equal(parseFromWorker(garbage), undefined)
    t.equal(parseToWorker(garbage), undefined)
  }
  fc.assert(
    fc.property(fc.anything(), (value) => {
      if (parseToWorker(value) !== undefined || parseFromWorker(value) !== undefined) throw new Error('understood')
    }),
  )
})
