import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { nameOf, recover } from '../actions.ts'
import { fleet, signalsOf } from '../store.ts'
import { closeDialog, Dialog } from './dialog.tsx'

const WAYS = [
  {
    from: 'readable',
    title: 'Its readable part',
    words: 'Everything before the damage. Usually the best: the least is lost.',
  },
  {
    from: 'previous',
    title: 'Its previous generation',
    words: 'The session before it was last compacted. For when the readable part is too short.',
  },
  { from: 'backup', title: 'Its backup', words: 'What was last saved to Firestore.' },
] as const

/** A session that can't be read: what to go on from, and what that costs. */
export function RecoverDialog({ accountId }: { accountId: string }): VNode {
  const [isBusy, setBusy] = useState(false)
  const detail = signalsOf(accountId)?.account.value.detail ?? ''
  const hasBackups = fleet.value?.firestore.state !== 'disabled'
  const run = async (from: (typeof WAYS)[number]['from']): Promise<void> => {
    setBusy(true)
    if (await recover(accountId, from)) closeDialog()
    setBusy(false)
  }
  return (
    <Dialog title={`Recover ${nameOf(accountId)}`}>
      <p>{detail}</p>
      <p class="faint">
        The damaged files are set aside first. What is newer than what you choose is lost: the next messages of some
        contacts need a retry, which heals by itself.
      </p>
      <ul class="ways">
        {WAYS.filter(({ from }) => from !== 'backup' || hasBackups).map(({ from, title, words }) => (
          <li key={from}>
            <button type="button" disabled={isBusy} onClick={() => void run(from)}>
              <b>{title}</b>
              <span class="faint">{words}</span>
            </button>
          </li>
        ))}
      </ul>
    </Dialog>
  )
}
