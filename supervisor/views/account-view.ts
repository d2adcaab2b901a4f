import type { Static } from 'typebox'
import { maskPhone } from '../../shared/phone.ts'
import { REASONS, type Reason } from '../../shared/states.ts'
import type { Account } from '../accounts/registry.ts'
import { ageInWords } from '../backup/words.ts'
import { recentRestarts } from '../core/recent-restarts.ts'
import type { DashboardAccount } from '../http/schemas/dashboard.ts'
import type { ViewDeps } from './fleet-view.ts'
import { iso } from './iso.ts'

/** An account as the API shows it. */
export type AccountView = Static<typeof DashboardAccount>

/** Everything but the QR code, which is a secret and takes a thread to draw. */
export function accountView(account: Account, deps: ViewDeps): AccountView {
  const { registry, clock } = deps
  const nowMs = clock.nowMs()
  const { record, process, child, counts } = account
  const { status, reason, attempt, nextTryAtMs, todo, needsPerson } = registry.statusOf(account)
  return {
    accountId: record.accountId,
    name: record.name,
    phone: record.phone === null ? null : maskPhone(record.phone),
    status,
    reason,
    detail: detailOf(account, reason),
    todo,
    needsPerson,
    desired: record.desired,
    statusSince: new Date(registry.statusSinceMs(record.accountId)).toISOString(),
    notice: noticeOf(account, nowMs),
    attempt,
    nextTryAt: iso(nextTryAtMs),
    lastEventAt: iso(account.lastEventAtMs),
    lastMessageAt: iso(account.lastMessageAtMs),
    activity: {
      lastFrameAt: iso(account.activity.lastFrameAtMs),
      lastEventAt: iso(account.activity.lastEventAtMs),
      lastMessageInAt: iso(account.activity.lastMessageInAtMs),
      lastAckedOutAt: iso(account.activity.lastAckedOutAtMs),
    },
    messages: { in: counts.messagesIn, out: counts.messagesOut },
    decryptFailures: counts.decryptFailures,
    reconnectCount: account.reconnectCount,
    restarts24h: recentRestarts(account.restartsAtMs, nowMs).length,
    needsQR: status === 'needs_qr',
    backup: describeBackup(record.accountId, deps),
    process: {
      state: child.state.name,
      pid: process?.pid ?? null,
      startedAt: iso(process?.startedAtMs ?? null),
      uptime: process === null ? null : Math.max(0, Math.floor((nowMs - process.startedAtMs) / 1000)),
      rssBytes: process?.rssBytes ?? null,
      loopDelayMs: process?.loopDelayMs ?? null,
      cpuPercent: process?.cpuPercent ?? null,
      crashCount: account.crashCount,
      generation: child.generation,
    },
  }
}

/** The QR code that may be shown now; a secret. The report comes a moment before the word that takes the code away. */
export function livingQr(account: Account, { registry, clock }: ViewDeps): Account['qr'] {
  const { reason } = registry.statusOf(account)
  return reason === 'pairing' && account.qr !== null && account.qr.expiresAtMs > clock.nowMs() ? account.qr : null
}

function describeBackup(accountId: string, { backups, clock }: ViewDeps): AccountView['backup'] {
  const view = backups?.viewOf(accountId) ?? null
  if (view === null) return null
  const { revision, savedAtMs, bytes, pending, error } = view
  const ageMs = savedAtMs === null ? null : Math.max(0, Math.round(clock.nowMs() - savedAtMs))
  return { revision, savedAt: iso(savedAtMs), ageMs, bytes, pending, error }
}

/** The reason in words, with what is known beyond it. */
export function detailOf({ fault, linkedPhone }: Account, reason: Reason | null): string | null {
  if (reason === null) return null
  if (reason === 'wrong_phone' && linkedPhone !== null) return `${REASONS[reason]} It was ${maskPhone(linkedPhone)}.`
  return fault?.message ?? REASONS[reason]
}

/** What a recovery costs shows within days; after two weeks nothing of it is left to be told. */
const NOTICE_MS = 14 * 86_400_000

function noticeOf({ recovery }: Account, nowMs: number): AccountView['notice'] {
  if (recovery === null || nowMs - recovery.atMs > NOTICE_MS) return null
  const at = new Date(recovery.atMs).toISOString()
  if (recovery.from === 'backup') {
    const { savedAtMs, atMs } = recovery
    const savedAt = savedAtMs === undefined ? 'unknown' : new Date(savedAtMs).toISOString()
    const age = savedAtMs === undefined ? 'of unknown age' : `${ageInWords(atMs - savedAtMs)} old`
    const message =
      `The session was restored from a backup that was ${age} (saved at ${savedAt}). ` +
      'The next messages of some contacts need a retry, which heals by itself.'
    return { code: 'session_restored', at, message }
  }
  const source = recovery.from === 'readable' ? 'its readable part' : 'its previous generation'
  const message =
    `The session was damaged and was recovered from ${source}: ${recovery.recordsKept} records kept, ` +
    `${recovery.recordsLost} lost. The next messages of some contacts need a retry, which heals by itself; ` +
    'the damaged files were set aside.'
  return { code: 'session_recovered', at, message }
}
