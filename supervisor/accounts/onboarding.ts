import { accountIdOf } from '../../shared/account-id.ts'
import type { Clock } from '../../shared/clock.ts'
import { AppError, type ErrorCode } from '../../shared/errors.ts'
import { parsePhone } from '../../shared/phone.ts'
import { REASONS } from '../../shared/states.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { Account, Registry } from './registry.ts'

export interface OnboardingDeps {
  registry: Registry
  fleet: Fleet
  clock: Clock
  maxAccounts: number
  accountEnv: string
}

/** A worker has its QR code 1 to 3 s after it was forked; the rest is for 30 of them on two cores. */
export const QR_WAIT_MS = 20_000

/** A code that dies sooner can't be walked to a phone; the next one comes within 20 s. */
const FRESH_MS = 5000

/**
 * The account of a phone, made if need be, with a fresh QR code on its way where it is not linked. Idempotent by phone.
 * Waits up to QR_WAIT_MS for a QR code, a connection, or anything that says that neither will come.
 * @throws AppError invalid_phone, too_many_accounts, out_of_memory, account_paused, account_removing, storage_unavailable, shutting_down
 */
export async function addAccount(name: string, phoneText: string, deps: OnboardingDeps): Promise<Account> {
  const { registry, fleet, clock, accountEnv } = deps
  const phone = phoneOf(phoneText)
  const known = registry.findByPhone(phone)
  const accountId = known?.record.accountId ?? accountIdOf(accountEnv, phone)
  if (known === undefined) {
    // An account of this id and another phone: its session directory was found, and its phone was not known until now.
    const holder = registry.get(accountId)
    if (holder === undefined) {
      assertRoom(deps)
      const createdAt = new Date(clock.nowMs()).toISOString()
      await fleet.add({ accountId, name, phone, desired: 'running', purge: false, createdAt })
    } else {
      await fleet.identify(accountId, { name, phone })
      fleet.pair(accountId)
    }
  } else {
    await fleet.identify(accountId, { name })
    // A session that is on its way from a backup is better than a new one: who wants a new one says so (`pair`).
    if (!fleet.isAwaiting(accountId)) fleet.pair(accountId)
  }
  const settled = await registry.waitFor(accountId, (account) => isAnswer(account, registry, clock.nowMs()), QR_WAIT_MS)
  if (settled === undefined) throw new AppError('account_removing', `Account "${accountId}" was removed meanwhile.`)
  return settled
}

/** What came of one of many that were to be added. */
export interface AddResult {
  name: string
  /** As it was given. */
  phone: string
  accountId: string | null
  outcome: 'added' | 'exists' | 'error'
  error?: { code: ErrorCode; message: string }
}

/**
 * Adds accounts one after another, without QR codes: these live for three minutes, and 30 phones take longer. What is
 * wrong with one of them keeps none of the others; one that is known is left as it is, but for a phone it did not have.
 */
export async function addAccounts(
  wanted: readonly { name: string; phone: string }[],
  deps: OnboardingDeps,
): Promise<AddResult[]> {
  const results: AddResult[] = []
  for (const { name, phone } of wanted) {
    try {
      results.push({ name, phone, ...(await addOne(name.trim(), phone, deps)) })
    } catch (error) {
      // The service is stopping, or has a bug: nothing more can be added.
      if (!(error instanceof AppError)) throw error
      results.push({
        name,
        phone,
        accountId: null,
        outcome: 'error',
        error: { code: error.code, message: error.message },
      })
    }
  }
  return results
}

async function addOne(
  name: string,
  phoneText: string,
  deps: OnboardingDeps,
): Promise<{ accountId: string; outcome: 'added' | 'exists' }> {
  const { registry, fleet, clock, accountEnv } = deps
  const phone = phoneOf(phoneText)
  if (name === '') throw new AppError('bad_request', 'The name is empty: give the account one.')
  const accountId = accountIdOf(accountEnv, phone)
  const known = registry.findByPhone(phone) ?? registry.get(accountId)
  if (known !== undefined) {
    if (known.record.phone === null) await fleet.identify(accountId, { phone })
    return { accountId: known.record.accountId, outcome: 'exists' }
  }
  assertRoom(deps)
  const createdAt = new Date(clock.nowMs()).toISOString()
  await fleet.add({ accountId, name, phone, desired: 'running', purge: false, createdAt }, { pairing: false })
  return { accountId, outcome: 'added' }
}

/** @throws AppError invalid_phone */
function phoneOf(text: string): string {
  const phone = parsePhone(text)
  if (phone !== undefined) return phone
  throw new AppError(
    'invalid_phone',
    'phone is not a number with its country code: write it like +40 712 345 678 (7 to 15 digits, no leading zero).',
  )
}

/** For one account more. @throws AppError too_many_accounts, out_of_memory */
export function assertRoom({
  registry,
  fleet,
  maxAccounts,
}: Pick<OnboardingDeps, 'registry' | 'fleet' | 'maxAccounts'>): void {
  if (registry.size >= maxAccounts) {
    throw new AppError(
      'too_many_accounts',
      `There are ${registry.size} accounts, and MAX_ACCOUNTS is ${maxAccounts}. Remove one, or raise MAX_ACCOUNTS.`,
    )
  }
  // A pairing takes twice what an account needs afterwards.
  if (fleet.memoryShortage !== null) throw new AppError('out_of_memory', fleet.memoryShortage)
}

/**
 * A code that the account's phone can type in instead of scanning, for a server without a screen. Lives as long as the
 * QR codes that are offered beside it, three minutes at the most.
 * @returns `ABCD-EFGH`
 * @throws AppError account_not_found, account_paused, already_linked, pairing_unavailable
 */
export async function pairingCode(accountId: string, deps: OnboardingDeps): Promise<string> {
  const { registry, fleet, clock } = deps
  fleet.pair(accountId)
  const account = await registry.waitFor(accountId, (account) => isAnswer(account, registry, clock.nowMs()), QR_WAIT_MS)
  if (account === undefined) throw new AppError('account_removing', `Account "${accountId}" was removed meanwhile.`)
  const { status, reason } = registry.statusOf(account)
  if (status === 'connected') {
    throw new AppError('already_linked', `Account "${accountId}" is linked and connected: log it out first.`)
  }
  const code = account.qr === null ? null : await fleet.pairingCode(accountId)
  if (code === null) {
    const why = reason === null ? 'WhatsApp did not take it' : REASONS[reason]
    throw new AppError('pairing_unavailable', `There is no pairing code for "${accountId}" now: ${why} Try again.`)
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`
}

/** A QR code, a connection, or a state that brings neither by itself. */
function isAnswer(account: Account, registry: Registry, nowMs: number): boolean {
  if (account.qr !== null && account.qr.expiresAtMs > nowMs + FRESH_MS) return true
  const { status, reason, needsPerson } = registry.statusOf(account)
  if (status === 'connected') return true
  // `pair` is on its way to a worker that still says what it said before.
  if (status === 'needs_qr') return false
  return needsPerson || reason === 'storage_full' || reason === 'session_locked' || reason === 'restore_waiting'
}
