import { useEffect, useRef } from 'preact/hooks'
import { accountPath, messageOf, request } from '../api.ts'
import { linkState } from '../core/link-state.ts'
import { nowMs, signalsOf } from '../store.ts'
import { tell } from '../ui.ts'

/** What keeps a QR code from coming is told. */
export async function askForQr(accountId: string): Promise<void> {
  try {
    await request('POST', accountPath(accountId, '/pair'))
  } catch (error) {
    tell('problem', messageOf(error))
  }
}

/**
 * Asks for the account's QR code as soon as it waits to be asked, once for each time that it comes here: nobody may stand
 * there any more when a code has died, so the next one is for a person to ask for.
 */
export function useQrOnce(accountId: string | null): void {
  const asked = useRef<string | null>(null)
  const known = accountId === null ? undefined : signalsOf(accountId)
  const isIdle = known !== undefined && linkState(known.account.value, known.qr.value, nowMs.peek()).name === 'idle'
  useEffect(() => {
    if (asked.current !== accountId) asked.current = null
    if (accountId === null || !isIdle || asked.current === accountId) return
    asked.current = accountId
    void askForQr(accountId)
  }, [accountId, isIdle])
}
