import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { nameOf, rename } from '../actions.ts'
import { closeDialog, Dialog } from './dialog.tsx'

export function RenameDialog({ accountId }: { accountId: string }): VNode {
  const [name, setName] = useState(nameOf(accountId))
  const [isBusy, setBusy] = useState(false)
  const submit = async (): Promise<void> => {
    setBusy(true)
    if (await rename(accountId, name.trim())) closeDialog()
    setBusy(false)
  }
  return (
    <Dialog title="Rename">
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <label class="field">
          Name
          <input
            autofocus
            required
            maxLength={100}
            pattern=".*\S.*"
            title="At least one letter or digit"
            value={name}
            onInput={(event) => setName(event.currentTarget.value)}
          />
        </label>
        <footer>
          <button type="button" onClick={closeDialog}>
            Cancel
          </button>
          <button type="submit" class="is-primary" disabled={isBusy}>
            Rename
          </button>
        </footer>
      </form>
    </Dialog>
  )
}
