import type { Account, PastStatus } from '../api-types.ts'

/** How things are said on the page. Times come in as epoch ms or ISO 8601, and go out as short words. */

/**
 * What is shown of a state: a paused account is disconnected to the API, but nobody needs to look after it. `not_running`
 * is of the past alone.
 */
export type ShownStatus = PastStatus | 'paused'

/** Those that an account can be in now. */
export const NOW_STATUSES = ['connected', 'connecting', 'disconnected', 'needs_qr', 'paused'] as const
export type NowStatus = (typeof NOW_STATUSES)[number]

export const STATUS_WORDS: Record<ShownStatus, string> = {
  connected: 'Connected',
  connecting: 'Connecting',
  disconnected: 'Disconnected',
  needs_qr: 'Needs QR',
  paused: 'Paused',
  not_running: 'Service down',
}

export function shownStatus({ status, reason }: { status: PastStatus; reason: string | null }): ShownStatus {
  return reason === 'paused' ? 'paused' : status
}

const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** `8 s`, `12 min`, `3 h`, `5 d`: the largest unit that fits twice, so that a number never says less than half. */
export function duration(ms: number): string {
  const span = Math.max(0, ms)
  if (span < 2 * MINUTE_MS) return `${Math.floor(span / SECOND_MS)} s`
  if (span < 2 * HOUR_MS) return `${Math.floor(span / MINUTE_MS)} min`
  if (span < 2 * DAY_MS) return `${Math.floor(span / HOUR_MS)} h`
  return `${Math.floor(span / DAY_MS)} d`
}

/** Until `iso`, counting down to `0 s`; empty where there is nothing to wait for. */
export function countdown(iso: string | null | undefined, nowMs: number): string {
  if (iso === null || iso === undefined) return ''
  return duration(Math.ceil((Date.parse(iso) - nowMs) / SECOND_MS) * SECOND_MS)
}

/** Since `iso`; `–` where it never happened. A second in the future (two clocks) is now. */
export function age(iso: string | null | undefined, nowMs: number): string {
  return iso === null || iso === undefined ? '–' : duration(nowMs - Date.parse(iso))
}

/** `312 KiB`, `36 MiB`. */
export function bytes(count: number | null | undefined): string {
  if (count === null || count === undefined) return '–'
  if (count < 1024) return `${count} B`
  if (count < 1024 ** 2) return `${Math.round(count / 1024)} KiB`
  if (count < 1024 ** 3) return `${Math.round(count / 1024 ** 2)} MiB`
  return `${(count / 1024 ** 3).toFixed(1)} GiB`
}

export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–'
  return value < 9.95 ? `${value.toFixed(1)} %` : `${Math.round(value)} %`
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}

/** Why a row is as it is, with what comes next: `WhatsApp closed the connection. Try 3 in 12 s.` */
export function why(
  account: Pick<Account, 'detail' | 'notice' | 'attempt' | 'nextTryAt' | 'status'>,
  nowMs: number,
): string {
  const parts: string[] = []
  if (account.detail !== null) parts.push(account.detail)
  if (account.nextTryAt !== null) parts.push(`${nextTry(account, nowMs)}.`)
  if (account.status === 'connected' && account.notice !== null) parts.push(account.notice.message)
  return parts.join(' ')
}

export function nextTry({ attempt, nextTryAt }: Pick<Account, 'attempt' | 'nextTryAt'>, nowMs: number): string {
  const wait = countdown(nextTryAt, nowMs)
  return wait === '0 s' ? `Try ${attempt + 1} now` : `Try ${attempt + 1} in ${wait}`
}

/** The machine's name of a state, for a title where no sentence is known: `connection_lost` -> `connection lost`. */
export function reasonWords(reason: string | null): string {
  return reason === null ? '' : reason.replaceAll('_', ' ')
}
