import type { Clock } from '../../shared/clock.ts'
import type { Activity, Counts } from '../../shared/ipc.ts'
import { isSamePhone } from '../../shared/phone.ts'
import type { RecoverFrom, Recovery } from '../../shared/session/recovery.ts'
import type { ConnectionReport, Reason } from '../../shared/states.ts'
import type { Child } from '../core/child-lifecycle.ts'
import { publicStatus, type PublicStatus } from '../core/status.ts'
import type { Received } from './received.ts'
import type { AccountRecord } from './store.ts'

/** The living process of an account, as its heartbeats tell. */
export interface AccountProcess {
  pid: number
  /** Epoch ms. */
  startedAtMs: number
  rssBytes: number | null
  loopDelayMs: number | null
  /** Used since its start, when it last said. */
  cpu: { usedMs: number; atMonotonicMs: number } | null
  /** Of one core, over the last heartbeats. */
  cpuPercent: number | null
  /** What it has said of its counts, and is in the account's. */
  counted: Counts
}

export const NO_COUNTS: Counts = { messagesIn: 0, messagesOut: 0, decryptFailures: 0 }

/** All that is known of one account now. Times are epoch milliseconds. */
export interface Account {
  record: AccountRecord
  child: Child
  /** The last report of the living process; null before it has said anything. */
  connection: ConnectionReport | null
  /** Why the last process ended, until its successor reports. */
  fault: { reason: Reason; message: string | null } | null
  /** The living QR code: a secret. */
  qr: { text: string; expiresAtMs: number } | null
  process: AccountProcess | null
  /** Whose WhatsApp the session is, as the session says; E.164. */
  linkedPhone: string | null
  lastEventAtMs: number | null
  lastMessageAtMs: number | null
  /** How far its messages have come here; null before the first. */
  received: Received | null
  /** What went over its connections, as far as its processes have said since the supervisor's start. */
  activity: Activity
  /** Since the supervisor's start, as far as its processes have said. */
  counts: Counts
  /** CPU of its earlier processes, since the supervisor's start. */
  cpuBeforeMs: number
  /** When a process took the place of an earlier one: those of the last day, epoch ms. */
  restartsAtMs: readonly number[]
  /** Whether a process of the account has been connected since the supervisor's start. */
  hasConnected: boolean
  /** Connections that were opened again after one had ended, since the supervisor's start. */
  reconnectCount: number
  /** Processes that ended unasked, since the supervisor's start. */
  crashCount: number
  /** When the operator last asked for a QR code. */
  pairingAskedAtMs: number | null
  /** The operator's word for the next process: recover the session. */
  recoverFrom: RecoverFrom | null
  /** The last recovery of the session, as the session itself says. */
  recovery: Recovery | null
}

/** One that was just started, and has said nothing yet. */
export function newProcess(pid: number, startedAtMs: number): AccountProcess {
  return { pid, startedAtMs, rssBytes: null, loopDelayMs: null, cpu: null, cpuPercent: null, counted: NO_COUNTS }
}

export function newAccount(record: AccountRecord, child: Child): Account {
  return {
    record,
    child,
    connection: null,
    fault: null,
    qr: null,
    process: null,
    linkedPhone: null,
    lastEventAtMs: null,
    lastMessageAtMs: null,
    received: null,
    activity: { lastFrameAtMs: null, lastEventAtMs: null, lastMessageInAtMs: null, lastAckedOutAtMs: null },
    counts: NO_COUNTS,
    cpuBeforeMs: 0,
    restartsAtMs: [],
    hasConnected: false,
    reconnectCount: 0,
    crashCount: 0,
    pairingAskedAtMs: null,
    recoverFrom: null,
    recovery: null,
  }
}

type Listener = (accountId: string, revision: number) => void

/** A status and since when it is so. */
interface Since {
  status: PublicStatus['status']
  reason: PublicStatus['reason']
  /** Epoch ms. */
  sinceMs: number
}

/**
 * The truth in memory: every account, by id. The fleet is its only writer; everybody else reads, or waits for a change.
 * Each change has a revision that only grows.
 */
export class Registry {
  readonly #accounts = new Map<string, Account>()
  readonly #listeners = new Set<Listener>()
  readonly #since = new Map<string, Since>()
  readonly #clock: Clock
  #revision = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get revision(): number {
    return this.#revision
  }

  get size(): number {
    return this.#accounts.size
  }

  get(accountId: string): Account | undefined {
    return this.#accounts.get(accountId)
  }

  /** In the order in which they were added: lists are stable. */
  all(): Account[] {
    return [...this.#accounts.values()]
  }

  findByPhone(phone: string): Account | undefined {
    return this.all().find(({ record }) => record.phone !== null && isSamePhone(record.phone, phone))
  }

  /**
   * Another account of the same WhatsApp number that was there first and is meant to run. An account whose number is known
   * is no other one, whatever phone scanned for it last: a wrong phone is refused by the account itself.
   */
  findElder(accountId: string, phone: string): Account | undefined {
    const isOf = ({ record, linkedPhone }: Account): boolean => {
      const known = record.phone ?? linkedPhone
      return known !== null && isSamePhone(known, phone)
    }
    const own = this.#accounts.get(accountId)
    if (own === undefined || (own.record.phone !== null && !isOf(own))) return undefined
    for (const account of this.#accounts.values()) {
      if (account === own) return undefined
      if (account.record.desired === 'running' && isOf(account)) return account
    }
    return undefined
  }

  statusOf(account: Account): PublicStatus {
    const offsetMs = this.#clock.nowMs() - this.#clock.monotonicMs()
    const { record, child, connection, fault } = account
    return publicStatus(record.desired, child.state, connection, fault?.reason ?? null, offsetMs)
  }

  /** When the account's status or reason last changed, epoch ms. */
  statusSinceMs(accountId: string): number {
    return this.#since.get(accountId)?.sinceMs ?? this.#clock.nowMs()
  }

  /** The fleet's alone. */
  put(account: Account): void {
    const { accountId } = account.record
    this.#accounts.set(accountId, account)
    const { status, reason } = this.statusOf(account)
    const known = this.#since.get(accountId)
    if (known?.status !== status || known.reason !== reason) {
      this.#since.set(accountId, { status, reason, sinceMs: this.#clock.nowMs() })
    }
    this.#announce(account.record.accountId)
  }

  /** The fleet's alone. */
  delete(accountId: string): void {
    this.#since.delete(accountId)
    if (this.#accounts.delete(accountId)) this.#announce(accountId)
  }

  /** @returns the end of the subscription */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Resolves with the first state of the account that `wanted` accepts, or with its state after `deadlineMs`; undefined
   * when the account is no more.
   */
  waitFor(accountId: string, wanted: (account: Account) => boolean, deadlineMs: number): Promise<Account | undefined> {
    return new Promise((resolve) => {
      const finish = (account: Account | undefined): void => {
        timer.cancel()
        unsubscribe()
        resolve(account)
      }
      const look = (): void => {
        const account = this.get(accountId)
        if (account === undefined || wanted(account)) finish(account)
      }
      const timer = this.#clock.setTimer(deadlineMs, () => finish(this.get(accountId)))
      const unsubscribe = this.subscribe((changed) => {
        if (changed === accountId) look()
      })
      look()
    })
  }

  #announce(accountId: string): void {
    this.#revision++
    for (const listener of this.#listeners) listener(accountId, this.#revision)
  }
}
