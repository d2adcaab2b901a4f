import type { VNode } from 'preact'
import type { AddResult } from '../api-types.ts'
import { plural } from '../core/words.ts'
import { AddForm } from '../parts/add-form.tsx'
import { dialog, tell } from '../ui.ts'
import { Dialog } from './dialog.tsx'

export function AddDialog(): VNode {
  return (
    <Dialog title="Add accounts" wide>
      <AddForm onAdded={afterAdding} />
    </Dialog>
  )
}

/** One account goes on to its QR code, many go on to the walk through theirs. */
export function afterAdding(added: readonly AddResult[]): void {
  const exist = added.filter(({ outcome }) => outcome === 'exists').length
  const fresh = added.length - exist
  tell('done', `${plural(fresh, 'account')} added${exist === 0 ? '' : `, ${exist} known before`}.`)
  const [only] = added
  if (added.length === 1 && only !== undefined && only.accountId !== null) {
    dialog.value = { name: 'qr', accountId: only.accountId }
    return
  }
  dialog.value = null
  if (added.length > 1) location.hash = '#/onboarding'
}
