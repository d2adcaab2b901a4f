import type { VNode } from 'preact'
import { act, copyJournalLine, isPaused } from '../actions.ts'
import type { Account } from '../api-types.ts'
import { accountHref, dialog } from '../ui.ts'
import { Menu, type MenuItem } from './menu.tsx'

/** All that can be done with one account, where it makes sense now. */
export function AccountMenu({ account, isOwnPage = false }: { account: Account; isOwnPage?: boolean }): VNode {
  const { accountId, name } = account
  const paused = isPaused(account)
  const show = (dialogName: 'qr' | 'rename' | 'recover') => () => {
    dialog.value = { name: dialogName, accountId }
  }
  const items: (MenuItem | false)[] = [
    !isOwnPage && { label: 'Open', run: () => void (location.hash = accountHref(accountId)) },
    !paused && account.status !== 'connected' && { label: 'Show QR or pairing code', run: show('qr') },
    account.reason === 'session_damaged' && { label: 'Recover the session', run: show('recover') },
    !paused && { label: 'Restart', run: () => act('restart', [accountId]) },
    paused
      ? { label: 'Resume', run: () => act('resume', [accountId]) }
      : { label: 'Pause', run: () => act('pause', [accountId]) },
    { label: 'Rename', run: show('rename') },
    { label: 'Copy journalctl line', run: () => void copyJournalLine(accountId) },
    account.status === 'connected' && { label: 'Log out', run: () => act('logout', [accountId]), danger: true },
    { label: 'Remove', run: () => act('remove', [accountId]), danger: true },
  ]
  return <Menu label={`Actions for ${name}`} items={items.filter((item) => item !== false)} />
}
