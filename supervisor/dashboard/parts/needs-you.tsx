import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { computed } from '@preact/signals'
import { act } from '../actions.ts'
import type { Account } from '../api-types.ts'
import { compareNeeds, needOf, REMEDY_WORDS, type Need } from '../core/needs-you.ts'
import { plural } from '../core/words.ts'
import { allAccounts, isAdmin } from '../store.ts'
import { accountHref, dialog } from '../ui.ts'
import { StatusWords } from './status-words.tsx'
import { Age } from './times.tsx'

/** More would push the table off the screen; the rest is one click away. */
const FIRST = 5

export const needs = computed(() =>
  allAccounts.value
    .flatMap((account) => {
      const need = needOf(account)
      return need === null ? [] : [{ account, need }]
    })
    .sort(
      (a, b) => compareNeeds(a.need, b.need) || Date.parse(a.account.statusSince) - Date.parse(b.account.statusSince),
    ),
)

/** Accounts that wait for a person, each with what to do and the button that does it. */
export function NeedsYou(): VNode | null {
  const [all, setAll] = useState(false)
  const waiting = needs.value
  if (waiting.length === 0) return null
  const scans = waiting.filter(({ need }) => need.remedy === 'scan').length
  const shown = all ? waiting : waiting.slice(0, FIRST)
  return (
    <section class="needs card" aria-labelledby="needs-title">
      <header class="card-head">
        <h2 id="needs-title">Needs you</h2>
        <span class="faint">{plural(waiting.length, 'account')}</span>
        {isAdmin.value && scans > 1 && (
          <a class="button is-primary push" href="#/onboarding">
            Link {scans} phones, one after another
          </a>
        )}
      </header>
      <ul class="needs-list">
        {shown.map(({ account, need }) => (
          <NeedRow key={account.accountId} account={account} need={need} />
        ))}
      </ul>
      {waiting.length > FIRST && (
        <button type="button" class="bare more" onClick={() => setAll(!all)} aria-expanded={all}>
          {all ? 'Show fewer' : `Show ${waiting.length - FIRST} more`}
        </button>
      )}
    </section>
  )
}

function NeedRow({ account, need }: { account: Account; need: Need }): VNode {
  const { accountId, name, phone, statusSince } = account
  return (
    <li>
      <StatusWords account={account} />
      <span class="need-who">
        <a href={accountHref(accountId)}>{name}</a> <span class="faint number">{phone ?? 'phone unknown'}</span>
      </span>
      <span class="need-todo">
        {need.todo}{' '}
        <span class="faint">
          For <Age at={statusSince} />.
        </span>
      </span>
      {isAdmin.value && <RemedyButton account={account} need={need} />}
    </li>
  )
}

function RemedyButton({ account: { accountId, name }, need: { remedy } }: { account: Account; need: Need }): VNode {
  const words = REMEDY_WORDS[remedy]
  const label = `${words}: ${name}`
  if (remedy === 'open') {
    return (
      <a class="button" href={accountHref(accountId)} aria-label={label}>
        {words}
      </a>
    )
  }
  const run = (): void => {
    if (remedy === 'restart') act('restart', [accountId])
    else dialog.value = { name: remedy === 'scan' ? 'qr' : 'recover', accountId }
  }
  return (
    <button type="button" onClick={run} aria-label={label}>
      {words}
    </button>
  )
}
