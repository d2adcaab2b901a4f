import { createHash } from 'node:crypto'

/**
 * An account's id is also the name of its session directory and its identifier in the journal, so it is kept to what is
 * safe in all three: letters, digits, `_`, `-` and `.`, not starting with a dot, at most 64 characters.
 */
const ACCOUNT_ID = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/

/** The same rule for JSON schemas. */
export const ACCOUNT_ID_PATTERN = ACCOUNT_ID.source

/** Whether `value` can be an account id. `../x`, `.set-aside`, `a/b` and the empty string can't. */
export function isAccountId(value: string): boolean {
  return ACCOUNT_ID.test(value)
}

/**
 * The id of the account of a phone: `account_{env}_{hash}`, the same for the same digits on every host.
 * 12 hex digits of SHA-256 keep two of a thousand accounts from meeting with a chance of one in 500 million.
 * @param env ACCOUNT_ENV, such as `prod`
 * @param phone E.164 with its plus sign
 */
export function accountIdOf(env: string, phone: string): string {
  const hash = createHash('sha256').update(phone.replace(/\D/g, '')).digest('hex').slice(0, 12)
  return `account_${env}_${hash}`
}
