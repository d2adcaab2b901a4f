import type { VNode } from 'preact'
import { useEffect } from 'preact/hooks'
import { askForQr, LinkPanel } from '../parts/link-panel.tsx'
import { linkState } from '../core/link-state.ts'
import { nowMs, signalsOf } from '../store.ts'
import { nameOf } from '../actions.ts'
import { closeDialog, Dialog } from './dialog.tsx'

/** One account's QR code: whoever opens this wants one, so it is asked for at once. */
export function QrDialog({ accountId }: { accountId: string }): VNode {
  useEffect(() => {
    const known = signalsOf(accountId)
    if (known === undefined) return
    const { name } = linkState(known.account.peek(), known.qr.peek(), nowMs.peek())
    if (name === 'idle') void askForQr(accountId)
  }, [accountId])
  const isDone = signalsOf(accountId)?.account.value.status === 'connected'
  return (
    <Dialog title={`Link ${nameOf(accountId)}`} wide>
      <LinkPanel accountId={accountId} />
      <footer>
        <button type="button" class={isDone ? 'is-primary' : ''} onClick={closeDialog}>
          {isDone ? 'Done' : 'Close'}
        </button>
      </footer>
    </Dialog>
  )
}
