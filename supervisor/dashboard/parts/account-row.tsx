import type { VNode } from 'preact'
import type { Account } from '../api-types.ts'
import { needOf } from '../core/needs-you.ts'
import { bytes, percent } from '../core/words.ts'
import { isAdmin, selection, signalsOf } from '../store.ts'
import { accountHref } from '../ui.ts'
import { AccountMenu } from './account-menu.tsx'
import { StatusWords } from './status-words.tsx'
import { Strip } from './strip.tsx'
import { Age, Countdown } from './times.tsx'

/**
 * Drawn when its own account changes, and at no other time: a component that reads signals is not drawn again by its
 * parent while its props are the same (@preact/signals sees to that).
 */
export function AccountRow({ accountId }: { accountId: string }): VNode | null {
  const known = signalsOf(accountId)
  if (known === undefined) return null
  const account = known.account.value
  const { name, phone, statusSince, activity, process, restarts24h, messages } = account
  const admin = isAdmin.value
  return (
    <tr class={needOf(account) === null ? '' : 'is-waiting'}>
      {admin && (
        <td class="col-select">
          <SelectOne accountId={accountId} name={name} />
        </td>
      )}
      <th scope="row" class="col-name">
        <a href={accountHref(accountId)} title={name}>
          {name}
        </a>
        <span class="faint number phone">{phone ?? 'phone unknown'}</span>
      </th>
      <td class="col-status">
        <StatusWords account={account} />
        <span class="faint number since">
          <Age at={statusSince} />
        </span>
      </td>
      <td class="col-why">
        <Why account={account} />
      </td>
      <td class="col-in number" data-label="In" title={`${messages.in} messages in since the service was started`}>
        <Age at={activity.lastMessageInAt} />
      </td>
      <td class="col-out number" data-label="Out" title={`${messages.out} messages out since the service was started`}>
        <Age at={activity.lastAckedOutAt} />
      </td>
      <td class="col-memory number" data-label="Memory">
        {bytes(process.rssBytes)}
      </td>
      <td class="col-cpu number" data-label="CPU">
        {percent(process.cpuPercent)}
      </td>
      <td class={`col-restarts number${restarts24h > 3 ? ' is-bad' : ''}`} data-label="Restarts">
        {restarts24h}
      </td>
      <td class="col-backup number" data-label="Backup">
        <BackupAge backup={account.backup} />
      </td>
      <td class="col-strip">
        <Strip segments={known.segments} />
      </td>
      {admin && (
        <td class="col-actions">
          <AccountMenu account={account} />
        </td>
      )}
    </tr>
  )
}

function SelectOne({ accountId, name }: { accountId: string; name: string }): VNode {
  const isChosen = selection.value.has(accountId)
  const toggle = (): void => {
    const next = new Set(selection.value)
    if (!next.delete(accountId)) next.add(accountId)
    selection.value = next
  }
  return <input type="checkbox" aria-label={`Select ${name}`} checked={isChosen} onChange={toggle} />
}

function Why({ account }: { account: Account }): VNode {
  const { detail, nextTryAt, attempt, status, notice } = account
  const words = detail ?? (status === 'connected' ? notice?.message : undefined) ?? ''
  return (
    <>
      {nextTryAt !== null && (
        <span class="next-try number">
          Try {attempt + 1} in <Countdown to={nextTryAt} />
        </span>
      )}
      <span class="why" title={words}>
        {words}
      </span>
    </>
  )
}

function BackupAge({ backup }: { backup: Account['backup'] }): VNode {
  if (backup === null) return <span class="faint">–</span>
  const { savedAt, error } = backup
  if (error === null) return <Age at={savedAt} />
  return (
    <span class="is-bad" title={error}>
      {savedAt === null ? 'none' : <Age at={savedAt} />} !
    </span>
  )
}
