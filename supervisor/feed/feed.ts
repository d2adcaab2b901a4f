import type { Clock, Timer } from '../../shared/clock.ts'
import { messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { EventRing, frameOf } from '../core/event-ring.ts'
import type { QrRenderer } from '../qr/qr-renderer.ts'
import { accountView, livingQr, type AccountView } from '../views/account-view.ts'
import { dashboardView, fleetView, type FleetView, type ViewDeps } from '../views/fleet-view.ts'
import { activityOf, changeOf, isSameTry } from './account-change.ts'

/**
 * What is told to everybody who watches: changes of the registry become events, each made into text once, however many
 * listen. Nothing is asked of an account for it; the fleet as a whole is looked at once a second.
 */
export interface FeedOptions {
  views: ViewDeps
  qr: Pick<QrRenderer, 'render'>
  clock: Clock
  log: Log
  /** Random for each start. */
  boot: string
}

export type Audience = 'all' | 'admin'
/** Gets the bytes that go to every listener alike. */
type Listener = (frame: Buffer) => void

/** Several changes of one moment (a process and its connection) are one event. */
const COALESCE_MS = 20
const ACTIVITY_MS = 3000
const FLEET_MS = 1000
/** What changes without a word of the registry (a backup of an account that is paused, a notice that grew old). */
const SWEEP_EVERY = 15
/** A snapshot says what time it is. */
const SNAPSHOT_LIFE_MS = 250
/** An estimate that only counts down is told this often. */
const BOOT_MS = 5000

export class Feed {
  readonly #options: FeedOptions
  readonly #ring: EventRing
  readonly #told = new Map<string, AccountView>()
  readonly #toldQr = new Map<string, string>()
  readonly #dirty = new Set<string>()
  readonly #active = new Set<string>()
  readonly #listeners = new Map<Listener, Audience>()
  #fleetKey = ''
  #toldProbeAt: string | null = null
  #bootKey: string | null = null
  #bootToldMs = 0
  #snapshots: { id: string; atMs: number; admin: string; viewer: string } | undefined
  #flushTimer: Timer | undefined
  #activityTimer: Timer | undefined
  #fleetTimer: Timer | undefined
  #ticks = 0
  #unsubscribe: (() => void) | undefined

  constructor(options: FeedOptions) {
    this.#options = options
    this.#ring = new EventRing(options.boot)
  }

  start(): void {
    const { registry } = this.#options.views
    this.#unsubscribe = registry.subscribe((accountId) => {
      this.#dirty.add(accountId)
      this.#flushTimer ??= this.#timer(COALESCE_MS, () => this.flush())
    })
    for (const { record } of registry.all()) this.#dirty.add(record.accountId)
    this.flush()
    this.#armFleet()
  }

  stop(): void {
    this.#unsubscribe?.()
    for (const timer of [this.#flushTimer, this.#activityTimer, this.#fleetTimer]) timer?.cancel()
    this.#listeners.clear()
  }

  /** Of the latest event: what was sent before is known to whoever has had it. */
  get lastId(): string {
    return this.#ring.lastId
  }

  /** @returns the end of the subscription */
  listen(audience: Audience, listener: Listener): () => void {
    this.#listeners.set(listener, audience)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Where somebody begins to listen: what it has missed since the event that it names, or everything as it is now.
   * @returns `qrOf`: the accounts whose QR codes it does not know yet
   */
  begin(role: 'admin' | 'viewer', lastEventId: string | undefined): { frames: string[]; qrOf: string[] } {
    this.flush()
    const missed = lastEventId === undefined ? undefined : this.#ring.since(lastEventId)
    if (missed === undefined) return { frames: [this.#snapshot(role)], qrOf: [...this.#toldQr.keys()] }
    const frames = missed.flatMap((entry) => ('frame' in entry ? [entry.frame] : []))
    return { frames, qrOf: [...new Set(missed.flatMap((entry) => ('qrOf' in entry ? [entry.qrOf] : [])))] }
  }

  /** The event that shows an account's present QR code, or that there is none. For admins alone. Never rejects. */
  async qrFrame(accountId: string): Promise<string | undefined> {
    const data = await this.#qrData(accountId)
    return data === undefined ? undefined : frameOf(this.lastId, 'account.qr', data)
  }

  /** Tells what has changed up to now. */
  flush(): void {
    this.#flushTimer?.cancel()
    this.#flushTimer = undefined
    const dirty = [...this.#dirty]
    this.#dirty.clear()
    for (const accountId of dirty) this.#look(accountId)
    this.#lookAtFleet()
  }

  #look(accountId: string): void {
    const { views } = this.#options
    const account = views.registry.get(accountId)
    const before = this.#told.get(accountId)
    if (account === undefined) {
      this.#active.delete(accountId)
      this.#toldQr.delete(accountId)
      if (this.#told.delete(accountId)) this.#tell('account.removed', JSON.stringify({ accountId }))
      return
    }
    const view = accountView(account, views)
    const change = before === undefined ? 'status' : changeOf(before, view)
    if (change === 'status') {
      this.#told.set(accountId, view)
      this.#active.delete(accountId)
      this.#tell('account.status', JSON.stringify({ account: view }))
    } else if (change === 'activity') {
      this.#active.add(accountId)
      this.#activityTimer ??= this.#timer(ACTIVITY_MS, () => this.#tellActivity())
    }
    this.#lookAtQr(accountId, livingQr(account, views)?.text)
  }

  #tellActivity(): void {
    this.#activityTimer = undefined
    const { views } = this.#options
    const accounts = [...this.#active].flatMap((accountId) => {
      const account = views.registry.get(accountId)
      if (account === undefined) return []
      const view = accountView(account, views)
      // A transition that is on its way is told by itself.
      if (this.#dirty.has(accountId)) return []
      this.#told.set(accountId, view)
      return [activityOf(view)]
    })
    this.#active.clear()
    if (accounts.length > 0) this.#tell('account.activity', JSON.stringify({ accounts }))
  }

  #lookAtQr(accountId: string, text: string | undefined): void {
    if (this.#toldQr.get(accountId) === text) return
    if (text === undefined) this.#toldQr.delete(accountId)
    else this.#toldQr.set(accountId, text)
    // Nobody looks: nothing is drawn, and whoever comes back is told.
    if (![...this.#listeners.values()].includes('admin')) return void this.#ring.pushQr(accountId)
    void this.#qrData(accountId).then((data) => {
      // Another code, or none, has taken its place meanwhile, and is told by itself.
      if (this.#toldQr.get(accountId) !== text) return
      // Not drawn: the next look, the sweep's at the latest, tries again. A code may live for a minute.
      if (data === undefined) return void this.#toldQr.delete(accountId)
      this.#send(frameOf(this.#ring.pushQr(accountId), 'account.qr', data), 'admin')
    })
  }

  async #qrData(accountId: string): Promise<string | undefined> {
    const { views, qr, log } = this.#options
    const account = views.registry.get(accountId)
    const living = account === undefined ? null : livingQr(account, views)
    if (living === null) return JSON.stringify({ accountId, qrCode: null, expiresAt: null })
    try {
      const qrCode = await qr.render(living.text)
      return JSON.stringify({ accountId, qrCode, expiresAt: new Date(living.expiresAtMs).toISOString() })
    } catch (error) {
      log.warn({ event: 'qr.not_drawn', accountId, cause: messageOf(error) }, 'A QR code could not be drawn')
      return undefined
    }
  }

  #armFleet(): void {
    this.#fleetTimer = this.#timer(FLEET_MS, () => {
      this.#ticks++
      if (this.#ticks % SWEEP_EVERY === 0) for (const accountId of this.#told.keys()) this.#dirty.add(accountId)
      this.flush()
      this.#armFleet()
    })
  }

  #lookAtFleet(): void {
    const { views, clock } = this.#options
    const fleet = fleetView(views)
    const key = fleetKey(fleet)
    const probeAt = fleet.trouble?.nextProbeAt ?? null
    if (key !== this.#fleetKey || !isSameTry(this.#toldProbeAt, probeAt)) {
      this.#fleetKey = key
      this.#toldProbeAt = probeAt
      this.#tell('fleet.event', JSON.stringify(fleet))
    }
    const boot = views.service.boot()
    const bootKey = boot === null ? null : JSON.stringify([boot.connected, boot.settled, boot.total])
    const isOld = boot !== null && clock.monotonicMs() - this.#bootToldMs >= BOOT_MS
    if (bootKey === this.#bootKey && !isOld) return
    this.#bootKey = bootKey
    this.#bootToldMs = clock.monotonicMs()
    this.#tell('boot.progress', JSON.stringify(boot))
  }

  /** Twenty pages that come back at once get the same text. */
  #snapshot(role: 'admin' | 'viewer'): string {
    const nowMs = this.#options.clock.monotonicMs()
    const known = this.#snapshots
    if (known?.id === this.lastId && nowMs - known.atMs <= SNAPSHOT_LIFE_MS) return known[role]
    const dashboard = dashboardView(role, this.#options.views)
    const of = (each: 'admin' | 'viewer'): string =>
      frameOf(this.lastId, 'snapshot', JSON.stringify({ ...dashboard, role: each }))
    const made = { id: this.lastId, atMs: nowMs, admin: of('admin'), viewer: of('viewer') }
    this.#snapshots = made
    return made[role]
  }

  #tell(name: string, json: string): void {
    this.#send(this.#ring.push(name, json), 'all')
  }

  #send(frame: string, audience: Audience): void {
    if (this.#listeners.size === 0) return
    const bytes = Buffer.from(frame)
    for (const [listener, who] of this.#listeners) if (audience === 'all' || who === 'admin') listener(bytes)
  }

  #timer(delayMs: number, callback: () => void): Timer {
    return this.#options.clock.setTimer(delayMs, callback, { unref: true })
  }
}

/** What of the fleet is news: not what counts by itself, nor the next probe, which is compared as a time. */
function fleetKey({ service, firestore, trouble, ...rest }: FleetView): string {
  const { state, oldestUnsavedMs } = firestore
  const named = trouble === null ? null : { ...trouble, nextProbeAt: null }
  return JSON.stringify([service.status, state, oldestUnsavedMs === null, named, rest])
}
