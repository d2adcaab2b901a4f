import { isAccountId } from '../../shared/account-id.ts'
import { AppError } from '../../shared/errors.ts'

/** An id from a URL, before it comes near anything that makes paths of it. */
export function checkedId(accountId: string): string {
  if (isAccountId(accountId)) return accountId
  throw new AppError(
    'bad_request',
    `"${accountId.slice(0, 80)}" can not be an account id: it takes letters, digits, "_", "-" and ".", and no leading dot.`,
  )
}
