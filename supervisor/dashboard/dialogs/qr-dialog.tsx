import type { VNode } from 'preact'
import { nameOf } from '../actions.ts'
import { useQrOnce } from '../parts/ask-for-qr.ts'
import { LinkPanel } from '../parts/link-panel.tsx'
import { signalsOf } from '../store.ts'
import { closeDialog, Dialog } from './dialog.tsx'

/** One account's QR code: whoever opens this wants one, so it is asked for at once. */
export function QrDialog({ accountId }: { accountId: string }): VNode {
  useQrOnce(accountId)
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
