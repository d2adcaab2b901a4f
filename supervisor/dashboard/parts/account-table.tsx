import type { VNode } from 'preact'
import type { SortKey } from '../core/fleet-list.ts'
import { isAdmin, selection, shownIds, wish } from '../store.ts'
import { AccountRow } from './account-row.tsx'
import { Icon } from './icon.tsx'

/** One row an account. Rows are drawn by their own signals: this looks only at which there are, and in which order. */
const COLUMNS: readonly { title: string; sort?: SortKey; class: string; label?: string }[] = [
  { title: 'Account', sort: 'name', class: 'col-name' },
  { title: 'Status', sort: 'status', class: 'col-status' },
  { title: 'Why, and what comes next', class: 'col-why' },
  { title: 'In', sort: 'in', class: 'col-in', label: 'Last message in' },
  { title: 'Out', sort: 'out', class: 'col-out', label: 'Last message out' },
  { title: 'Memory', sort: 'memory', class: 'col-memory' },
  { title: 'CPU', sort: 'cpu', class: 'col-cpu' },
  { title: 'Restarts', sort: 'restarts', class: 'col-restarts', label: 'Restarts in 24 hours' },
  { title: 'Backup', sort: 'backup', class: 'col-backup', label: 'Age of the backup' },
  { title: 'Last 24 hours', class: 'col-strip' },
]

export function AccountTable(): VNode {
  const ids = shownIds.value
  const admin = isAdmin.value
  return (
    <div class="table-place">
      <table class="accounts">
        <caption class="visually-hidden">Accounts</caption>
        <thead>
          <tr>
            {admin && (
              <th scope="col" class="col-select">
                <SelectAll ids={ids} />
              </th>
            )}
            {COLUMNS.map((column) => (
              <Heading key={column.class} {...column} />
            ))}
            {admin && (
              <th scope="col" class="col-actions">
                <span class="visually-hidden">Actions</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {ids.map((accountId) => (
            <AccountRow key={accountId} accountId={accountId} />
          ))}
        </tbody>
      </table>
      {ids.length === 0 && <p class="nothing">No account fits. Search for something else, or show all.</p>}
    </div>
  )
}

function Heading({ title, sort, class: column, label }: (typeof COLUMNS)[number]): VNode {
  if (sort === undefined) {
    return (
      <th scope="col" class={column}>
        {title}
      </th>
    )
  }
  const { sort: current, descending } = wish.value
  const isCurrent = current === sort
  const order = !isCurrent ? 'none' : descending ? 'descending' : 'ascending'
  const toggle = (): void => {
    // Of numbers and times people look for the largest and the latest first.
    const first = sort !== 'name' && sort !== 'status'
    wish.value = { ...wish.value, sort, descending: isCurrent ? !descending : first }
  }
  return (
    <th scope="col" class={column} aria-sort={order}>
      <button type="button" class="bare sort" onClick={toggle} title={label}>
        {title}
        {isCurrent && <Icon name={descending ? 'down' : 'up'} />}
      </button>
    </th>
  )
}

function SelectAll({ ids }: { ids: readonly string[] }): VNode {
  const chosen = ids.filter((id) => selection.value.has(id)).length
  const all = ids.length > 0 && chosen === ids.length
  return (
    <input
      type="checkbox"
      aria-label="Select all shown accounts"
      checked={all}
      indeterminate={chosen > 0 && !all}
      onChange={() => (selection.value = new Set(all ? [] : ids))}
    />
  )
}
