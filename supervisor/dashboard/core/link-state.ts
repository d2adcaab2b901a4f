import type { Account } from '../api-types.ts'

/**
 * Where an account is on its way to being linked, for whoever holds the phone in front of the page.
 *
 *   preparing -> scan -> linking -> connected
 *                 |
 *                 +-> idle (nobody scanned in time, or nothing was asked for yet) -> preparing
 *   blocked: something has to be done first, and the account says what
 */
export type LinkState =
  | { name: 'connected' }
  | { name: 'scan'; qrCode: string; expiresAt: string | null }
  | { name: 'linking' }
  | { name: 'preparing' }
  | { name: 'idle'; detail: string }
  | { name: 'blocked'; detail: string }

export interface LivingQr {
  qrCode: string
  expiresAt: string | null
}

const WAITS_FOR_WISH: ReadonlySet<string> = new Set([
  'not_linked',
  'qr_expired',
  'logged_out',
  'bad_session',
  'wrong_phone',
  'passkey_required',
  'restore_failed',
  'restore_waiting',
])

export function linkState(account: Account, qr: LivingQr | null, nowMs: number): LinkState {
  const { status, reason, detail } = account
  if (status === 'connected') return { name: 'connected' }
  const lives = qr !== null && (qr.expiresAt === null || Date.parse(qr.expiresAt) > nowMs)
  if (status === 'needs_qr' && lives) return { name: 'scan', qrCode: qr.qrCode, expiresAt: qr.expiresAt }
  if (reason === 'restart_required') return { name: 'linking' }
  if (reason === 'pairing' || status === 'connecting') return { name: 'preparing' }
  if (reason !== null && WAITS_FOR_WISH.has(reason)) return { name: 'idle', detail: detail ?? 'Ask for a QR code.' }
  return { name: 'blocked', detail: detail ?? 'The account is not running.' }
}
