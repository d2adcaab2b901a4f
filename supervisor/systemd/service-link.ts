import type { Clock, Timer } from '../../shared/clock.ts'
import { messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import type { SystemdConfig } from '../config.ts'
import { isSound, statusLine, type ServiceState } from '../core/service-state.ts'
import { openNotify, type Notify } from './notify.ts'

/**
 * Tells systemd how the service is: STATUS from the first moment on, READY once, WATCHDOG as long as the service is sound,
 * STOPPING and more time while it flushes. Before READY there is no watchdog: TimeoutStartSec holds the start.
 */
export interface ServiceLinkOptions {
  notify: Notify
  /** Null: no watchdog. */
  watchdogMs: number | null
  clock: Clock
  log: Log
  state: () => ServiceState
}

/** Changes come in dozens at a boot; a person reads one a second. */
const STATUS_EVERY_MS = 1000
/** Each sign of life while flushing is good for this long. */
const EXTENSION_MS = 5000

export class ServiceLink {
  readonly #options: ServiceLinkOptions
  readonly #feedEveryMs: number
  #timer: Timer | undefined
  #told = ''
  #fedMs = Number.NEGATIVE_INFINITY
  #starving = false
  #stopping = false

  constructor(options: ServiceLinkOptions) {
    this.#options = options
    const { watchdogMs } = options
    // Three chances before it expires.
    this.#feedEveryMs = watchdogMs === null ? Number.POSITIVE_INFINITY : watchdogMs / 3
    this.#tellStatus()
  }

  /** The API answers. */
  ready(): void {
    this.#told = statusLine(this.#options.state())
    this.#options.notify.send({ READY: '1', STATUS: this.#told })
    this.#tick()
  }

  /** From here on every second asks for a few more, until `end`. Safe to call twice. */
  stopping(): void {
    if (this.#stopping) return
    this.#stopping = true
    this.#options.notify.send({ STOPPING: '1' })
    this.#tick()
  }

  /** The last words go out; nothing follows. */
  end(): void {
    this.#timer?.cancel()
    this.#options.notify.flushSync()
  }

  #tick(): void {
    const { clock, notify } = this.#options
    this.#timer?.cancel()
    this.#tellStatus()
    this.#feed()
    if (this.#stopping) notify.send({ EXTEND_TIMEOUT_USEC: String(EXTENSION_MS * 1000) })
    this.#timer = clock.setTimer(Math.min(STATUS_EVERY_MS, this.#feedEveryMs), () => this.#tick())
  }

  #tellStatus(): void {
    const status = statusLine(this.#options.state())
    if (status === this.#told) return
    this.#told = status
    this.#options.notify.send({ STATUS: status })
  }

  #feed(): void {
    const { clock, notify, log, watchdogMs, state } = this.#options
    const nowMs = clock.monotonicMs()
    if (watchdogMs === null || nowMs - this.#fedMs < this.#feedEveryMs) return
    const current = state()
    if (isSound(current, nowMs)) {
      this.#starving = false
      this.#fedMs = nowMs
      notify.send({ WATCHDOG: '1' })
    } else if (!this.#starving) {
      this.#starving = true
      const silentMs = Math.round(nowMs - current.storageAnsweredMs)
      log.fatal({ event: 'watchdog.starved', silentMs }, 'The disk does not answer: systemd restarts this service')
    }
  }
}

/** Undefined where nobody listens, or nobody can be told. */
export async function openServiceLink(
  { notifySocket, watchdogMs, watchdogPid }: SystemdConfig,
  pid: number,
  state: () => ServiceState,
  clock: Clock,
  log: Log,
): Promise<ServiceLink | undefined> {
  if (notifySocket === null) return undefined
  try {
    const notify = await openNotify(notifySocket, clock)
    // A parent's watchdog (of `npm start`, say) is not for this process.
    const isMeant = watchdogPid === null || watchdogPid === pid
    return new ServiceLink({ notify, watchdogMs: isMeant ? watchdogMs : null, clock, log, state })
  } catch (error) {
    log.error({ event: 'notify.unavailable', cause: messageOf(error) }, 'systemd can not be told how the service is')
    return undefined
  }
}
