import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import type { DialogWish } from '../ui.ts'
import { closeDialog, Dialog } from './dialog.tsx'

/** Asks before something is lost, and says what. The button says what it does; the focus is on the way out. */
export function ConfirmDialog({ wish }: { wish: Extract<DialogWish, { name: 'confirm' }> }): VNode {
  const [isBusy, setBusy] = useState(false)
  const confirm = async (): Promise<void> => {
    setBusy(true)
    closeDialog()
    await wish.confirm()
  }
  return (
    <Dialog title={wish.title}>
      <ul class="consequences">
        {wish.lines.map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <footer>
        <button type="button" autofocus onClick={closeDialog}>
          Cancel
        </button>
        <button type="button" class="is-danger is-filled" disabled={isBusy} onClick={() => void confirm()}>
          {wish.button}
        </button>
      </footer>
    </Dialog>
  )
}
