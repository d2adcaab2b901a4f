import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { accountPath, messageOf, request } from '../api.ts'
import type { Transition } from '../api-types.ts'
import { duration } from '../core/words.ts'
import { StatusWords } from './status-words.tsx'
import { longTime, slowNowMs } from './times.tsx'

const PAGE = 20

/** The account's transitions, newest first; a new one shows up with the event that brings it. */
export function AccountHistory({ accountId, statusSince }: { accountId: string; statusSince: string }): VNode {
  const [rows, setRows] = useState<Transition[]>([])
  const [next, setNext] = useState<string | null>(null)
  const [problem, setProblem] = useState('')

  const load = async (before: string | null): Promise<void> => {
    try {
      const query = before === null ? '' : `&before=${encodeURIComponent(before)}`
      const path = accountPath(accountId, `/history?limit=${PAGE}${query}`)
      const answer = await request<{ transitions: Transition[]; next: string | null }>('GET', path)
      setRows((known) => (before === null ? answer.transitions : [...known, ...answer.transitions]))
      setNext(answer.next)
      setProblem('')
    } catch (error) {
      setProblem(messageOf(error))
    }
  }
  useEffect(() => void load(null), [accountId, statusSince])

  return (
    <section class="card" aria-labelledby="history-title">
      <h3 id="history-title">History</h3>
      {problem !== '' && <p class="problem">{problem}</p>}
      {rows.length === 0 && problem === '' && <p class="faint">No transition is known of the last 30 days.</p>}
      <ol class="history">
        {rows.map((row, index) => (
          <li key={`${row.at}${row.status}${row.reason ?? ''}`}>
            <time class="faint number" dateTime={row.at}>
              {longTime(row.at)}
            </time>
            <StatusWords account={row} />
            <span class="history-why">
              {row.detail ?? ''}
              {row.code !== null && <span class="faint"> (code {row.code})</span>}
            </span>
            <span class="faint number">{lasted(row, rows[index - 1])}</span>
          </li>
        ))}
      </ol>
      {next !== null && (
        <button type="button" class="bare more" onClick={() => void load(next)}>
          Show older
        </button>
      )}
    </section>
  )
}

/** How long a state was held: until the one after it, which stands above it. */
function lasted(row: Transition, after: Transition | undefined): string {
  const endMs = after === undefined ? slowNowMs.value : Date.parse(after.at)
  return duration(endMs - Date.parse(row.at))
}
