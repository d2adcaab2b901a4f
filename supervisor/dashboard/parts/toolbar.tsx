import type { VNode } from 'preact'
import { act } from '../actions.ts'
import type { ActionName } from '../api-types.ts'
import { FIRST_WISH } from '../core/fleet-list.ts'
import { STATUS_WORDS } from '../core/words.ts'
import { accounts, fleet, isAdmin, selection, shownIds, wish } from '../store.ts'
import { dialog } from '../ui.ts'
import { Icon } from './icon.tsx'

/** Over the table: what is looked for, what is selected, and the way to more accounts. */
export function Toolbar(): VNode {
  const { search, status } = wish.value
  const onSearch = (event: { currentTarget: HTMLInputElement }): void => {
    wish.value = { ...wish.value, search: event.currentTarget.value }
  }
  const isNarrowed = search !== '' || status !== null
  return (
    <div class="toolbar">
      <label class="search">
        <Icon name="search" />
        <span class="visually-hidden">Search accounts</span>
        <input
          id="search"
          type="search"
          placeholder="Search name, phone, reason"
          autocomplete="off"
          value={search}
          onInput={onSearch}
        />
      </label>
      <span class="faint number shown-count">
        {isNarrowed ? `${shownIds.value.length} of ${accounts.value.size}` : `${accounts.value.size}`} accounts
        {status !== null && `: ${STATUS_WORDS[status].toLowerCase()}`}
      </span>
      {isNarrowed && (
        <button type="button" class="bare" onClick={() => (wish.value = { ...FIRST_WISH, sort: wish.value.sort })}>
          Show all
        </button>
      )}
      {isAdmin.value && (
        <button type="button" class="is-primary push" onClick={() => (dialog.value = { name: 'add' })}>
          <Icon name="plus" />
          Add accounts
        </button>
      )}
    </div>
  )
}

const BULK: readonly { action: ActionName; label: string; danger?: boolean }[] = [
  { action: 'restart', label: 'Restart' },
  { action: 'pause', label: 'Pause' },
  { action: 'resume', label: 'Resume' },
  { action: 'pair', label: 'Ask for QR' },
  { action: 'logout', label: 'Log out', danger: true },
  { action: 'remove', label: 'Remove', danger: true },
]

/** Instead of the toolbar's right side while rows are selected. */
export function BulkBar(): VNode | null {
  const ids = [...selection.value]
  if (ids.length === 0) return null
  const busy = fleet.value === null
  return (
    <div class="bulk" role="region" aria-label="Selected accounts">
      <b class="number">{ids.length} selected</b>
      {BULK.map(({ action, label, danger }) => (
        <button
          key={action}
          type="button"
          class={danger === true ? 'is-danger' : ''}
          disabled={busy}
          onClick={() => act(action, ids)}
        >
          {label}
        </button>
      ))}
      <button type="button" class="bare push" onClick={() => (selection.value = new Set())}>
        Clear selection
      </button>
    </div>
  )
}
