import type { VNode } from 'preact'
import { AccountTable } from '../parts/account-table.tsx'
import { AddForm } from '../parts/add-form.tsx'
import { FleetHead, FleetNews } from '../parts/fleet-head.tsx'
import { NeedsYou } from '../parts/needs-you.tsx'
import { BulkBar, Toolbar } from '../parts/toolbar.tsx'
import { afterAdding } from '../dialogs/add-dialog.tsx'
import { accounts, fleet, isAdmin } from '../store.ts'

export function FleetPage(): VNode {
  if (fleet.value === null) return <p class="nothing">Loading…</p>
  if (accounts.value.size === 0) return <FirstRun />
  return (
    <>
      <FleetHead />
      <FleetNews />
      <NeedsYou />
      <section class="card table-card" aria-label="Accounts">
        <Toolbar />
        <BulkBar />
        <AccountTable />
      </section>
    </>
  )
}

/** Nothing is there yet: what this is, and the one thing to do. */
function FirstRun(): VNode {
  return (
    <>
      <FleetNews />
      <section class="first-run card">
        <div>
          <h2>Link your first WhatsApp account</h2>
          <ol class="steps">
            <li>
              <b>Name it.</b> Write a name and the phone's number, or paste a whole list.
            </li>
            <li>
              <b>Scan.</b> Its QR code appears here within seconds; its phone scans it under Linked devices.
            </li>
            <li>
              <b>Done.</b> It stays connected from now on, over restarts of this service and of the machine.
            </li>
          </ol>
          <p class="faint">
            Sessions are kept in <code>{fleet.value?.storage.path}</code>. Sessions of another Baileys program that are
            put there appear here by themselves at the next start.
          </p>
        </div>
        {isAdmin.value ? <AddForm onAdded={afterAdding} /> : <p>This login can only look: an admin adds accounts.</p>}
      </section>
    </>
  )
}
