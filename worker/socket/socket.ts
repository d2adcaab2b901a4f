import {
  Browsers,
  makeWASocket,
  WA_CERT_DETAILS,
  type AuthenticationState,
  type BinaryNode,
  type WASocket,
} from '@whiskeysockets/baileys'
import type { Clock, Timer } from '../../shared/clock.ts'
import { withDeadline } from '../../shared/deadline.ts'
import type { ClientVersion } from '../../shared/ipc.ts'
import { phoneOfJid } from '../../shared/phone.ts'
import type { ActivityRecord } from '../activity.ts'
import type { CloseCause } from '../core/disconnect-policy.ts'
import type { BaileysLog } from './baileys-log.ts'
import { fencedKeys } from './fenced-keys.ts'
import { inboxRepository, type Entry } from './inbox-repository.ts'
import { Stanzas } from './stanzas.ts'

/**
 * One Baileys socket, from `makeWASocket` to its tear-down: the only runtime import of Baileys' socket. It turns Baileys'
 * events into ours and adds those that Baileys never sends (a refused upgrade, a stream that can't be decrypted).
 */
export type SocketEvent =
  | { type: 'qr'; text: string; lifetimeMs: number }
  /** A phone has scanned; the creds are about to be saved, and WhatsApp will ask for a new connection. */
  | { type: 'new_login' }
  | { type: 'open'; phone: string | undefined }
  /** What WhatsApp says to the client version that was announced. */
  | { type: 'version_verdict'; version: ClientVersion; accepted: boolean }
  | { type: 'closed'; cause: CloseCause }
  /** Anything at all came over the line. */
  | { type: 'frame' }
  | { type: 'creds_changed' }
  /** WhatsApp wants the phone's passkey before it links this device, which Baileys can't give. */
  | { type: 'passkey_required' }

export interface SocketOptions {
  auth: AuthenticationState
  /** Instead of WhatsApp's own. */
  url: string | null
  /** Client version to announce. */
  version: ClientVersion
  log: BaileysLog
  clock: Clock
  /** Messages of others are entered here, not told as events. */
  entry: Entry
  activity: ActivityRecord
  onEvent: (event: SocketEvent) => void
}

export interface OpenSocket {
  /** Asks the server for any answer; the answer shows as a frame. Never rejects. */
  probe(): void
  /** Unlinks this device at WhatsApp. Never rejects: whether WhatsApp heard it shows at the phone. */
  logOut(): Promise<void>
  /** A code to type into the phone of `phone`; only while a QR code is offered. Rejects when WhatsApp does not take it. */
  requestPairingCode(phone: string): Promise<string>
  /**
   * From this moment on nothing leaves: no receipt, and no refusal, which WhatsApp takes for one. What has come and was
   * not answered comes again at the next login. To be torn down all the same.
   */
  cut(): void
  /** Closes for good: no event comes after it was called. Takes at most TEAR_DOWN_DEADLINE_MS. */
  tearDown(): Promise<void>
}

/** WhatsApp's first QR code lives a minute, the following ones 20 s (Baileys: qrTimeout). */
const FIRST_QR_MS = 60_000
const NEXT_QR_MS = 20_000
/** For the other side's close frame: what a healthy server needs, where Baileys itself would wait for 30 s. */
const CLOSE_FRAME_WAIT_MS = 1000
/** What waited for this device comes within seconds of a login; the rest is for a loaded host and a long queue. */
const DELIVERY_WAIT_MS = 30_000
/** Lets WhatsApp deliver. Saying it twice is saying it once. */
const ACTIVE: BinaryNode = {
  tag: 'iq',
  attrs: { to: 's.whatsapp.net', xmlns: 'passive', type: 'set' },
  content: [{ tag: 'active', attrs: {} }],
}
/** Events that speak of the connection itself; all others carry something that somebody sent. */
const CONNECTION_EVENTS = new Set(['connection.update', 'creds.update'])
const TEAR_DOWN_DEADLINE_MS = 1000
/** For the unlinking to reach WhatsApp; Baileys ends the socket by itself after it. */
const LOG_OUT_DEADLINE_MS = 5000
/** `<failure reason>`: the client version is too old. */
const CLIENT_OUTDATED = 405

/** Trusts another certificate root than WhatsApp's: a simulator's. For the whole process, before the first socket. */
export function trustNoiseRoot(keyHex: string): void {
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(keyHex, 'hex')
}

export function openSocket(options: SocketOptions): OpenSocket {
  const { onEvent, clock } = options
  let done = false
  let qrCount = 0
  const emit = (event: SocketEvent): void => {
    if (!done) onEvent(event)
  }
  const judge = (accepted: boolean): void => emit({ type: 'version_verdict', version: options.version, accepted })
  const close = (cause: CloseCause): void => {
    emit({ type: 'closed', cause })
  }

  const stanzas = new Stanzas(() => options.auth.creds)
  const { activity } = options
  const hearing = activity.newSocket()
  const tickets = new WeakMap<Uint8Array, number>()
  const fenced = fencedKeys(options.auth.keys)
  const socket = makeWASocket({
    auth: { creds: options.auth.creds, keys: fenced.keys },
    makeSignalRepository: inboxRepository(stanzas, options.entry, (ciphertext, good) => {
      if (!good) activity.couldNotRead()
      const ticket = tickets.get(ciphertext)
      if (ticket !== undefined) hearing.settled(ticket, good, clock.monotonicMs())
    }),
    logger: options.log,
    browser: Browsers.ubuntu('Chrome'),
    ...(options.url === null ? {} : { waWebSocketUrl: options.url }),
    version: options.version,
    connectTimeoutMs: 20_000,
    // A dead peer is noticed after one to two of these plus 5 s.
    keepAliveIntervalMs: 20_000,
    // Bounds what an unanswered query can hold up: an opening connection waits for three of them.
    defaultQueryTimeoutMs: 20_000,
    // The phone's whole history is nobody's need here, and 100 MB of memory at the first pairing.
    syncFullHistory: false,
    // The phone keeps its notifications while this device is connected.
    markOnlineOnConnect: false,
    // A store that refuses a write has failed for good (worker/session): trying again for 30 s would only hide it.
    transactionOpts: { maxCommitRetries: 1, delayBetweenTriesMs: 0 },
  })

  let deliveryTimer: Timer | undefined
  // Baileys says `open` whether or not its own request was answered, refused, or given up before it was sent: a
  // connection whose pings are answered, and on which nothing ever comes. The end of what waited says that it was taken;
  // where that does not come, the request is made once more, and its answer decides.
  const askToDeliver = async (): Promise<void> => {
    if (hearing.delivers) return
    // Refused; or undefined, which is Baileys' way of saying that no answer came in defaultQueryTimeoutMs.
    const answer: unknown = await socket.query(ACTIVE).catch(() => undefined)
    if (answer === undefined) hearing.owes(clock.monotonicMs())
  }

  const closeLine = socket.ws.close.bind(socket.ws)
  // Baileys reports an end only after this, and a peer that is gone answers no close frame: its 30 s of waiting would be
  // 30 s of "connected" more.
  socket.ws.close = async () => {
    const timer = clock.setTimer(CLOSE_FRAME_WAIT_MS, () => terminate(socket))
    await closeLine()
    timer.cancel()
  }
  // Baileys acknowledges these and says nothing: https://github.com/WhiskeySockets/Baileys/issues/2672
  for (const type of ['passkey_prologue_request', 'crsc_continuation']) {
    socket.ws.on(`CB:notification,type:${type}`, () => emit({ type: 'passkey_required' }))
  }
  socket.ev.on('creds.update', () => emit({ type: 'creds_changed' }))
  socket.ev.on('connection.update', (update) => {
    if (update.qr !== undefined) {
      if (qrCount === 0) judge(true)
      emit({ type: 'qr', text: update.qr, lifetimeMs: qrCount++ === 0 ? FIRST_QR_MS : NEXT_QR_MS })
    }
    if (update.isNewLogin) emit({ type: 'new_login' })
    if (update.receivedPendingNotifications === true) hearing.delivered()
    if (update.connection === 'open') {
      judge(true)
      emit({ type: 'open', phone: phoneOfJid(socket.user?.id ?? '') })
      deliveryTimer = clock.setTimer(DELIVERY_WAIT_MS, () => void askToDeliver())
    }
    if (update.connection === 'close') {
      const cause = causeOf(update.lastDisconnect?.error)
      if (cause.from === 'login' && cause.code === CLIENT_OUTDATED) judge(false)
      close(cause)
    }
  })
  socket.ev.process((events) => {
    if (Object.keys(events).some((name) => !CONNECTION_EVENTS.has(name))) activity.saw('lastEventAtMs')
    if (events['messages.upsert'] !== undefined) hearing.told(clock.monotonicMs())
  })
  // Before Baileys' own listener. It queues what waited at WhatsApp, and reads what is new at once: before the queue is
  // empty, so a message to a group may come before the one that brings its key, and can't be read then. Marked as if it
  // had waited too, it goes to the end of the queue.
  socket.ws.prependListener('CB:message', (node: BinaryNode) => {
    if (hearing.hasBacklog) node.attrs['offline'] ||= '0'
    const isQueued = Boolean(node.attrs['offline'])
    for (const ciphertext of stanzas.note(node)) {
      tickets.set(ciphertext, hearing.arrived(clock.monotonicMs(), isQueued))
    }
  })
  socket.ws.on('CB:ack,class:message', ({ attrs }: BinaryNode) => {
    if (attrs['error'] === undefined) activity.saw('lastAckedOutAtMs')
  })
  socket.ws.on('frame', () => {
    activity.saw('lastFrameAtMs')
    emit({ type: 'frame' })
  })
  // Baileys listens to this event and does nothing, which keeps `ws` from failing: without us, no event ever comes.
  socket.ws.on('unexpected-response', (_request: unknown, response: { statusCode?: number; destroy?: () => void }) => {
    response.destroy?.()
    close({ from: 'upgrade', code: response.statusCode ?? null })
  })

  return {
    probe() {
      socket.query({ tag: 'iq', attrs: { to: 's.whatsapp.net', type: 'get', xmlns: 'w:p' } }).catch(() => {
        // No answer is what the caller finds out by itself: no frame came.
      })
    },
    async logOut() {
      done = true
      await withDeadline(socket.logout(), LOG_OUT_DEADLINE_MS, clock).catch(() => undefined)
    },
    async requestPairingCode(phone) {
      return socket.requestPairingCode(phone.replace(/\D/g, ''))
    },
    cut() {
      terminate(socket)
    },
    async tearDown() {
      done = true
      deliveryTimer?.cancel()
      const ended = Promise.resolve(socket.end(undefined)).catch(() => undefined)
      await withDeadline(ended, TEAR_DOWN_DEADLINE_MS, clock)
      // Also when `end` returned at once, because Baileys is in the middle of its own: that one may wait for half a minute.
      terminate(socket)
      fenced.fence()
    },
  }
}

/** Whether a rejection that nobody handled means that the stream is lost: a frame that failed its authentication tag. */
export function isStreamCorruption(reason: unknown): boolean {
  return reason instanceof Error && /unable to authenticate data/i.test(reason.message)
}

/** Cuts the line without asking the other side. */
function terminate(socket: WASocket): void {
  const raw = (socket.ws as unknown as { socket?: { terminate?: () => void } | null }).socket
  raw?.terminate?.()
}

/** Baileys wraps every end in a Boom; what kind of end it was stands in the text alone. */
function causeOf(error: Error | undefined): CloseCause {
  const boom = error as (Error & { output?: { statusCode?: unknown } }) | undefined
  const status = boom?.output?.statusCode
  const code = typeof status === 'number' && Number.isInteger(status) ? status : null
  const message = error?.message ?? ''
  if (message === 'QR refs attempts ended') return { from: 'qr_expired', code }
  if (message === 'Connection Failure') return { from: 'login', code }
  if (message.startsWith('Stream Errored')) return { from: 'stream', code }
  return { from: 'transport', code }
}
