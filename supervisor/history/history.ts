import { join } from 'node:path'
import type { Clock, Timer } from '../../shared/clock.ts'
import { withDeadline } from '../../shared/deadline.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { REASONS } from '../../shared/states.ts'
import type { Account, Registry } from '../accounts/registry.ts'
import { segmentsOf, seriesOf, thinned, type Minute, type Segment, type Transition } from '../core/history-slots.ts'
import { detailOf } from '../views/account-view.ts'
import {
  historyFiles,
  KEEP_LIMITS,
  notRunning,
  pruneHistory,
  readHistoryFile,
  readTransitions,
  type KeepLimits,
} from './history-files.ts'
import { HistoryWriter, WRITER_LIMITS, type WriterLimits } from './history-writer.ts'
import { fileOf, type ChangeRecord, type HistoryRecord } from './record.ts'

/**
 * What was: every change of an account's status or reason, and a sample of the fleet each minute. The tries of an outage
 * that end as those before them are none: it is one, from its begin to what ended it. Files of a day each in
 * SESSIONS_PATH/.history; the last day is in memory as well, for the pictures. Where the service was not running, nothing
 * is known of any account, and it is said so.
 */
export interface HistoryOptions {
  sessionsPath: string
  registry: Registry
  clock: Clock
  log: Log
  keep?: KeepLimits
  writer?: WriterLimits
}

export const HISTORY_DIRECTORY = '.history'
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** Of one account in memory; beyond that what is older than the newest is kept for the pictures alone. */
const MOST_TRANSITIONS = 2000
const NEWEST_TRANSITIONS = 1000
const STOP_DEADLINE_MS = 1000
/** A record of tomorrow was written under a wrong clock. */
const FUTURE_MS = DAY_MS

export class History {
  readonly #options: HistoryOptions
  readonly #directory: string
  readonly #writer: HistoryWriter
  readonly #transitions = new Map<string, Transition[]>()
  #minutes: Minute[] = []
  /** Spans in which the service was not running. */
  #gaps: { fromMs: number; toMs: number }[] = []
  /** What is older is on the disk alone. */
  #memoryFromMs = 0
  /** Of an account that had more than memory holds: what is older is whole on the disk alone. */
  readonly #wholeFromMs = new Map<string, number>()
  readonly #counted = new Map<string, { in: number; out: number }>()
  /** Accounts whose state since the start is recorded: what was before it is another run's. */
  readonly #seen = new Set<string>()
  /** Tries of an outage that are under way: told once something has come of them. */
  readonly #tries = new Map<string, ChangeRecord>()
  #pruning: Promise<void> = Promise.resolve()
  #today = ''
  #timer: Timer | undefined
  #unsubscribe: (() => void) | undefined
  #damaged = 0
  /** Reading old files is done for one at a time. */
  #reading: Promise<unknown> = Promise.resolve()

  constructor(options: HistoryOptions) {
    this.#options = options
    this.#directory = join(options.sessionsPath, HISTORY_DIRECTORY)
    this.#writer = new HistoryWriter({
      ...options,
      directory: this.#directory,
      limits: options.writer ?? WRITER_LIMITS,
    })
  }

  /** Lines on the disk that could not be read, of the days that were looked at. */
  get damaged(): number {
    return this.#damaged
  }

  /** Records that found no room on the disk. */
  get dropped(): number {
    return this.#writer.dropped
  }

  /** Reads the last day and begins to record. Never rejects: without a past the future is still worth keeping. */
  async start(): Promise<void> {
    const { registry, clock, log } = this.#options
    const nowMs = clock.nowMs()
    this.#memoryFromMs = nowMs - DAY_MS
    try {
      await this.#load(nowMs)
    } catch (error) {
      const cause = errnoOf(error) ?? messageOf(error)
      log.warn({ event: 'history.not_read', cause }, 'The history of the last day could not be read')
    }
    if (this.#damaged > 0) log.warn({ event: 'history.damaged', lines: this.#damaged }, 'Lines were left out')
    this.#writer.write({ k: 'start', at: nowMs })
    this.#unsubscribe = registry.subscribe((accountId) => this.#look(accountId))
    for (const { record } of registry.all()) this.#look(record.accountId)
    this.#beginDay(nowMs)
    this.#armMinute()
  }

  /** Before the accounts go down: that they do is the service's doing. */
  async stop(): Promise<void> {
    const { clock } = this.#options
    this.#unsubscribe?.()
    this.#timer?.cancel()
    if (this.#unsubscribe === undefined) return
    this.#unsubscribe = undefined
    this.#writer.write({ k: 'stop', at: clock.nowMs() })
    await withDeadline(this.#writer.flush(), STOP_DEADLINE_MS, clock)
    this.#writer.stop()
  }

  /** Resolves when the disk has had its turn: what can be written is. For whoever has to know. */
  async settled(): Promise<void> {
    await this.#writer.flush()
    await this.#pruning
  }

  /** The pictures of the last `hours`: a strip of each account, and the fleet. */
  pictures(hours: number): {
    fromMs: number
    toMs: number
    accounts: { accountId: string; segments: Segment[] }[]
    series: ReturnType<typeof seriesOf>
  } {
    const { registry, clock } = this.#options
    const toMs = clock.nowMs()
    const fromMs = toMs - hours * 3_600_000
    const accounts = registry.all().map(({ record: { accountId } }) => ({
      accountId,
      segments: segmentsOf(this.#past(accountId), fromMs, toMs),
    }))
    return { fromMs, toMs, accounts, series: seriesOf(this.#minutes, fromMs, toMs) }
  }

  /**
   * Transitions of an account before a moment, newest first.
   * @returns `nextMs`: what to ask for next; null where there is nothing older
   */
  async of(
    accountId: string,
    beforeMs: number,
    limit: number,
  ): Promise<{ transitions: Transition[]; nextMs: number | null }> {
    const wholeFromMs = Math.max(this.#memoryFromMs, this.#wholeFromMs.get(accountId) ?? 0)
    const inMemory = this.#past(accountId).filter(({ atMs }) => atMs < beforeMs && atMs >= wholeFromMs)
    const found = inMemory.reverse().slice(0, limit + 1)
    if (found.length <= limit) {
      const older = Math.min(beforeMs, wholeFromMs)
      const most = limit + 1 - found.length
      const read = this.#reading.then(() => readTransitions(this.#directory, accountId, older, most))
      this.#reading = read.catch(() => undefined)
      const { transitions, damaged } = await read
      this.#damaged += damaged
      found.push(...transitions)
    }
    const transitions = found.slice(0, limit)
    return { transitions, nextMs: found.length > limit ? (transitions.at(-1)?.atMs ?? null) : null }
  }

  /** In order of time, with the spans in which nothing was known. */
  #past(accountId: string): Transition[] {
    const own = this.#transitions.get(accountId) ?? []
    const firstMs = own[0]?.atMs ?? Infinity
    const gaps = this.#gaps.filter(({ fromMs }) => fromMs >= firstMs).map(({ fromMs }) => notRunning(fromMs))
    return [...own, ...gaps].sort((a, b) => a.atMs - b.atMs)
  }

  #look(accountId: string): void {
    const { registry, clock } = this.#options
    const account = registry.get(accountId)
    if (account === undefined) {
      this.#counted.delete(accountId)
      this.#seen.delete(accountId)
      this.#wholeFromMs.delete(accountId)
      this.#tries.delete(accountId)
      return void this.#transitions.delete(accountId)
    }
    const { status, reason } = registry.statusOf(account)
    const last = this.#transitions.get(accountId)?.at(-1)
    const isSeen = this.#seen.has(accountId)
    const begun = this.#tries.get(accountId)
    if (begun?.s === status && begun.r === reason) return
    this.#tries.delete(accountId)
    // A try that ended as the others did is one of them.
    if (isSeen && last?.status === status && last.reason === reason) return
    if (begun !== undefined) this.#record(begun)
    this.#seen.add(accountId)
    const nowMs = clock.nowMs()
    const latestMs = begun?.at ?? last?.atMs
    // Two within a millisecond keep their order, and a page of them its end.
    const atMs = latestMs !== undefined && latestMs >= nowMs && latestMs - nowMs < 1000 ? latestMs + 1 : nowMs
    const change = changeOf(account, atMs, { status, reason })
    const isTry = isSeen && last?.status === 'disconnected' && status === 'connecting' && last.reason === reason
    if (isTry && begun === undefined) this.#tries.set(accountId, change)
    else this.#record(change)
  }

  #record(change: ChangeRecord): void {
    this.#add(change.a, change)
    this.#writer.write(change)
  }

  #add(accountId: string, { at, s, r, c, d }: ChangeRecord): void {
    const kept = this.#transitions.get(accountId) ?? []
    kept.push({ atMs: at, status: s, reason: r, code: c ?? null, detail: d ?? null })
    if (kept.length > MOST_TRANSITIONS) {
      const older = kept.splice(0, kept.length - NEWEST_TRANSITIONS)
      this.#wholeFromMs.set(accountId, kept[0]?.atMs ?? 0)
      kept.unshift(...thinned(older))
    }
    // One that is older says how the day began.
    while ((kept[1]?.atMs ?? Infinity) <= this.#memoryFromMs) kept.shift()
    this.#transitions.set(accountId, kept)
  }

  #armMinute(): void {
    const { registry, clock } = this.#options
    this.#timer = clock.setTimer(
      MINUTE_MS,
      () => {
        const nowMs = clock.nowMs()
        const sums = { in: 0, out: 0 }
        let connected = 0
        for (const account of registry.all()) {
          if (registry.statusOf(account).status === 'connected') connected++
          const { messagesIn, messagesOut } = account.counts
          const before = this.#counted.get(account.record.accountId) ?? { in: 0, out: 0 }
          sums.in += Math.max(0, messagesIn - before.in)
          sums.out += Math.max(0, messagesOut - before.out)
          this.#counted.set(account.record.accountId, { in: messagesIn, out: messagesOut })
        }
        if (nowMs < this.#memoryFromMs) this.#beginAnew(nowMs)
        this.#memoryFromMs = Math.max(this.#memoryFromMs, nowMs - DAY_MS)
        this.#minutes.push({ atMs: nowMs, connected, ...sums })
        this.#minutes = this.#minutes.filter(({ atMs }) => atMs > this.#memoryFromMs)
        this.#gaps = this.#gaps.filter(({ toMs }) => toMs > this.#memoryFromMs)
        this.#writer.write({ k: 'm', at: nowMs, n: connected, i: sums.in, o: sums.out })
        if (fileOf(nowMs) !== this.#today) this.#beginDay(nowMs)
        this.#armMinute()
      },
      { unref: true },
    )
  }

  /** The clock was set back by more than a day: what memory holds is of times to come. The past is on the disk. */
  #beginAnew(nowMs: number): void {
    const { registry } = this.#options
    this.#memoryFromMs = nowMs
    this.#wholeFromMs.clear()
    this.#minutes = []
    this.#gaps = []
    this.#transitions.clear()
    for (const account of registry.all())
      this.#add(account.record.accountId, changeOf(account, nowMs, registry.statusOf(account)))
  }

  /** A file says by itself how its day began; and what is too old goes. */
  #beginDay(nowMs: number): void {
    const { registry, keep = KEEP_LIMITS, log } = this.#options
    this.#today = fileOf(nowMs)
    for (const account of registry.all()) {
      const { status, reason } = registry.statusOf(account)
      this.#writer.write({ ...changeOf(account, nowMs, { status, reason }), v: 1 })
    }
    this.#pruning = pruneHistory(this.#directory, this.#today, keep).catch((error: unknown) => {
      log.warn({ event: 'history.not_pruned', cause: errnoOf(error) ?? messageOf(error) }, 'History')
    })
  }

  async #load(nowMs: number): Promise<void> {
    const records: HistoryRecord[] = []
    for (const { name, dayMs } of (await historyFiles(this.#directory)).reverse()) {
      // The day before the last one says how that began.
      if (dayMs < nowMs - 2 * DAY_MS || dayMs > nowMs) continue
      const read = await readHistoryFile(this.#directory, name)
      this.#damaged += read.damaged
      for (const record of read.records) if (record.at <= nowMs + FUTURE_MS) records.push(record)
    }
    let lastMs: number | undefined
    for (const record of records) {
      switch (record.k) {
        case 'start':
          if (lastMs !== undefined) this.#gaps.push({ fromMs: lastMs, toMs: record.at })
          break
        case 's':
          if (record.v === undefined) this.#add(record.a, record)
          // How it stood is no transition: known of the time before, and told to nobody.
          else if (!this.#transitions.has(record.a)) this.#add(record.a, { ...record, at: this.#memoryFromMs - 1 })
          break
        case 'm':
          if (record.at > this.#memoryFromMs) {
            this.#minutes.push({ atMs: record.at, connected: record.n, in: record.i, out: record.o })
          }
          break
        case 'stop':
          break
        default:
          record satisfies never
      }
      lastMs = record.at
    }
    if (lastMs !== undefined) this.#gaps.push({ fromMs: lastMs, toMs: nowMs })
    this.#gaps = this.#gaps.filter(({ toMs }) => toMs > this.#memoryFromMs)
  }
}

function changeOf(
  account: Account,
  atMs: number,
  { status, reason }: { status: ChangeRecord['s']; reason: ChangeRecord['r'] },
): ChangeRecord {
  const code = account.connection?.code ?? null
  const detail = detailOf(account, reason)
  const isMore = detail !== null && (reason === null || detail !== REASONS[reason])
  return {
    k: 's',
    at: atMs,
    a: account.record.accountId,
    s: status,
    r: reason,
    ...(code === null ? {} : { c: code }),
    ...(isMore ? { d: detail.slice(0, 300) } : {}),
  }
}
