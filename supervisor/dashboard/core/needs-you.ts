import type { Account } from '../api-types.ts'
import { shownStatus } from './words.ts'

/** What a person does about an account that waits for one. */
export type Remedy = 'scan' | 'restart' | 'recover' | 'open'

export const REMEDY_WORDS: Record<Remedy, string> = {
  scan: 'Show QR',
  restart: 'Try again',
  recover: 'Recover',
  open: 'Look at it',
}

/** What to do, by reason: the API's own words say what happened. */
const TODO: Partial<Record<string, { todo: string; remedy: Remedy }>> = {
  not_linked: { todo: 'Scan its QR code with its phone.', remedy: 'scan' },
  pairing: { todo: 'A QR code is waiting: scan it with its phone.', remedy: 'scan' },
  qr_expired: { todo: 'Nobody scanned in time. Show a new QR code when the phone is at hand.', remedy: 'scan' },
  logged_out: { todo: 'Its phone removed this device. Link it again.', remedy: 'scan' },
  bad_session: { todo: 'WhatsApp refused its session for good. Link it again.', remedy: 'scan' },
  wrong_phone: { todo: 'Another phone scanned. Scan with the phone of this account.', remedy: 'scan' },
  passkey_required: {
    todo: "Remove the phone's passkey (WhatsApp, Settings, Account, Passkeys), then scan.",
    remedy: 'scan',
  },
  restore_failed: {
    todo: 'Its backup can not be used. Link it again, or give the key that sealed it.',
    remedy: 'scan',
  },
  replaced: { todo: 'Another program uses its session. Stop that one, then try again.', remedy: 'restart' },
  temporarily_banned: {
    todo: 'WhatsApp banned the number for a time. Look at its phone, then try again.',
    remedy: 'restart',
  },
  forbidden: { todo: 'WhatsApp locked the account. Look at its phone, then try again.', remedy: 'restart' },
  banned: { todo: 'WhatsApp banned the number. Ask for a review on its phone, then try again.', remedy: 'restart' },
  client_outdated: {
    todo: 'WhatsApp refuses this client version. Update the service, then try again.',
    remedy: 'restart',
  },
  number_taken: { todo: 'Another account is this number already. Remove one of the two.', remedy: 'open' },
  session_damaged: { todo: 'Its session files are damaged. Choose what to go on from.', remedy: 'recover' },
}

export interface Need {
  todo: string
  remedy: Remedy
}

/** Null where nobody is needed. A paused account was paused by somebody. */
export function needOf(account: Account): Need | null {
  if (shownStatus(account) === 'paused' || !(account.needsPerson || account.needsQR)) return null
  const known = account.reason === null ? undefined : TODO[account.reason]
  if (known !== undefined) return known
  const remedy = account.needsQR ? 'scan' : 'open'
  return { todo: account.detail ?? 'It waits for a person.', remedy }
}

/** Those that need a decision come before those that only need a phone. */
export function compareNeeds(a: Need, b: Need): number {
  return Number(a.remedy === 'scan') - Number(b.remedy === 'scan')
}
