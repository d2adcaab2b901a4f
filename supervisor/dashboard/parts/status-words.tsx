import type { VNode } from 'preact'
import { shownStatus, STATUS_WORDS } from '../core/words.ts'
import type { PastStatus } from '../api-types.ts'
import { StatusIcon } from './icon.tsx'

export function StatusWords({ account }: { account: { status: PastStatus; reason: string | null } }): VNode {
  const status = shownStatus(account)
  return (
    <span class={`status is-${status}`}>
      <StatusIcon status={status} />
      {STATUS_WORDS[status]}
    </span>
  )
}
