import type { Account } from '../api-types.ts'
import { shownStatus, STATUS_WORDS, type ShownStatus } from './words.ts'

/** Which accounts the table shows, and in which order. */
export const SORT_KEYS = ['name', 'status', 'in', 'out', 'memory', 'cpu', 'restarts', 'backup'] as const
export type SortKey = (typeof SORT_KEYS)[number]

export interface ListWish {
  /** Words that must all occur in the name, the phone, the id or the reason. */
  search: string
  /** Null: all. */
  status: ShownStatus | null
  sort: SortKey
  descending: boolean
}

export const FIRST_WISH: ListWish = { search: '', status: null, sort: 'name', descending: false }

/** Whoever is worst off comes first. */
const SEVERITY: Record<ShownStatus, number> = {
  disconnected: 0,
  needs_qr: 1,
  connecting: 2,
  paused: 3,
  connected: 4,
  not_running: 5,
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' })

/** Ids in the order of the table. Equal ones keep the order of their names, so that rows don't jump. */
export function listAccounts(accounts: readonly Account[], wish: ListWish): string[] {
  const words = wish.search.toLowerCase().split(/\s+/).filter(Boolean)
  const sign = wish.descending ? -1 : 1
  return accounts
    .filter((account) => wish.status === null || shownStatus(account) === wish.status)
    .filter((account) => matches(account, words))
    .sort(
      (a, b) =>
        sign * compare(a, b, wish.sort) || collator.compare(a.name, b.name) || compareText(a.accountId, b.accountId),
    )
    .map(({ accountId }) => accountId)
}

function matches(account: Account, words: readonly string[]): boolean {
  if (words.length === 0) return true
  const { name, phone, accountId, reason, detail } = account
  const status = STATUS_WORDS[shownStatus(account)]
  const text = [name, phone, accountId, status, reason, detail].filter(Boolean).join('\n').toLowerCase()
  return words.every((word) => text.includes(word))
}

function compare(a: Account, b: Account, sort: SortKey): number {
  switch (sort) {
    case 'name':
      return collator.compare(a.name, b.name)
    case 'status':
      return (
        SEVERITY[shownStatus(a)] - SEVERITY[shownStatus(b)] || Date.parse(a.statusSince) - Date.parse(b.statusSince)
      )
    case 'in':
      return timeOf(a.activity.lastMessageInAt) - timeOf(b.activity.lastMessageInAt)
    case 'out':
      return timeOf(a.activity.lastAckedOutAt) - timeOf(b.activity.lastAckedOutAt)
    case 'memory':
      return (a.process.rssBytes ?? 0) - (b.process.rssBytes ?? 0)
    case 'cpu':
      return (a.process.cpuPercent ?? 0) - (b.process.cpuPercent ?? 0)
    case 'restarts':
      return a.restarts24h - b.restarts24h
    case 'backup':
      return timeOf(a.backup?.savedAt) - timeOf(b.backup?.savedAt)
    default:
      return sort satisfies never
  }
}

/** What never happened is longest ago. */
function timeOf(iso: string | null | undefined): number {
  return iso === null || iso === undefined ? 0 : Date.parse(iso)
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The same array where nothing moved, so that the table need not look. */
export function keepOrder(previous: readonly string[], next: readonly string[]): readonly string[] {
  return previous.length === next.length && previous.every((id, index) => id === next[index]) ? previous : next
}
