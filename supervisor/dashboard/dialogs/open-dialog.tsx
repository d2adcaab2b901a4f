import type { VNode } from 'preact'
import { dialog } from '../ui.ts'
import { AddDialog } from './add-dialog.tsx'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { QrDialog } from './qr-dialog.tsx'
import { RecoverDialog } from './recover-dialog.tsx'
import { RenameDialog } from './rename-dialog.tsx'

/** The one dialog that is open, if any. */
export function OpenDialog(): VNode | null {
  const wish = dialog.value
  if (wish === null) return null
  switch (wish.name) {
    case 'add':
      return <AddDialog />
    case 'qr':
      return <QrDialog accountId={wish.accountId} />
    case 'rename':
      return <RenameDialog accountId={wish.accountId} />
    case 'recover':
      return <RecoverDialog accountId={wish.accountId} />
    case 'confirm':
      return <ConfirmDialog wish={wish} />
    default:
      return wish satisfies never
  }
}
