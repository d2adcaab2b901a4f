import type { VNode } from 'preact'
import { dismiss, toasts } from '../ui.ts'
import { Icon } from './icon.tsx'

/** What was done or went wrong, read out politely. */
export function Toasts(): VNode {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, kind, text }) => (
        <p key={id} class={`toast is-${kind}`}>
          <Icon name={kind === 'done' ? 'check' : 'warning'} />
          <span>{text}</span>
          <button type="button" class="bare" aria-label="Close this message" onClick={() => dismiss(id)}>
            <Icon name="cross" />
          </button>
        </p>
      ))}
    </div>
  )
}
