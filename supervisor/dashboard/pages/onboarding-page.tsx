import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { act } from '../actions.ts'
import { advance, choose, needsScan, NEW_WALK, skip, stepOf, type Walk } from '../core/onboarding.ts'
import { plural } from '../core/words.ts'
import { StatusIcon } from '../parts/icon.tsx'
import { useQrOnce } from '../parts/ask-for-qr.ts'
import { LinkPanel } from '../parts/link-panel.tsx'
import { allAccounts, isAdmin, signalsOf } from '../store.ts'
import { dialog } from '../ui.ts'

/** Long enough to see that it went well, short enough not to be waited for. */
const REST_MS = 1200

/** One QR code after another: whoever has scanned is done, and the next phone's code stands there by itself. */
export function OnboardingPage(): VNode {
  const walk = useSignal<Walk>(NEW_WALK)
  const holding = useSignal<string | null>(null)
  const [resting, setResting] = useState<string | null>(null)
  const accounts = allAccounts.value
  const { current, next, left } = stepOf(walk.value, accounts, holding.value)

  useEffect(() => {
    walk.value = advance(walk.value, accounts)
  }, [accounts])

  // Who was on the screen and is connected stays there for a moment.
  useEffect(() => {
    if (current === holding.value) return
    const before = holding.value
    holding.value = current
    if (before !== null && signalsOf(before)?.account.peek().status === 'connected') setResting(before)
  }, [current])
  useEffect(() => {
    const timer = setTimeout(() => setResting(null), REST_MS)
    return () => clearTimeout(timer)
  }, [resting])

  const shown = resting ?? current
  useQrOnce(current)
  // The next one's code is fetched while this one is being scanned.
  useQrOnce(next)

  if (!isAdmin.value) return <p class="nothing">This login can only look: it sees no QR codes.</p>
  const done = walk.value.linked.length
  return (
    <section class="onboarding">
      <header class="page-head">
        <h2>Onboarding</h2>
        <p class="faint" role="status">
          {left === 0 ? 'No account waits for its phone.' : `${plural(left, 'account')} to go`}
          {done > 0 && `, ${done} linked`}.
        </p>
        <progress value={done} max={Math.max(1, done + left)} aria-label="Linked" />
      </header>
      {shown === null ? (
        <Finished done={done} />
      ) : (
        <div class="card walk">
          <LinkPanel key={shown} accountId={shown} />
          <footer>
            <button
              type="button"
              disabled={next === null || resting !== null}
              onClick={() => current !== null && (walk.value = skip(walk.value, current))}
            >
              Skip for now
            </button>
            <button type="button" class="bare" onClick={() => act('pause', [shown])}>
              Pause this account
            </button>
          </footer>
        </div>
      )}
      <ol class="walk-list card" aria-label="Accounts of this walk">
        {walk.value.order.map((accountId) => (
          <WalkRow
            key={accountId}
            accountId={accountId}
            isCurrent={accountId === shown}
            onChoose={() => {
              holding.value = null
              walk.value = choose(walk.value, accountId)
            }}
          />
        ))}
      </ol>
    </section>
  )
}

function WalkRow(props: { accountId: string; isCurrent: boolean; onChoose: () => void }): VNode | null {
  const account = signalsOf(props.accountId)?.account.value
  if (account === undefined) return null
  const status = account.status === 'connected' ? 'connected' : needsScan(account) ? 'needs_qr' : 'connecting'
  const words = status === 'connected' ? 'Linked' : props.isCurrent ? 'Now' : 'Waiting'
  return (
    <li aria-current={props.isCurrent ? 'step' : undefined}>
      <button type="button" class="bare" disabled={status === 'connected' || props.isCurrent} onClick={props.onChoose}>
        <StatusIcon status={status} />
        <span>
          {account.name} <span class="faint number">{account.phone}</span>
        </span>
        <span class="faint push">{words}</span>
      </button>
    </li>
  )
}

function Finished({ done }: { done: number }): VNode {
  return (
    <div class="card finished">
      <StatusIcon status="connected" />
      <h3>{done === 0 ? 'Nobody waits for a QR code' : `${plural(done, 'phone')} linked`}</h3>
      <p class="faint">Accounts that need their phone appear here by themselves.</p>
      <p>
        <button type="button" class="is-primary" onClick={() => (dialog.value = { name: 'add' })}>
          Add accounts
        </button>{' '}
        <a class="button" href="#/">
          Back to all accounts
        </a>
      </p>
    </div>
  )
}
