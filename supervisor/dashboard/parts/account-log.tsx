import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { accountPath, messageOf, request } from '../api.ts'
import type { LogLine } from '../api-types.ts'
import { logAccountId, logLines } from '../store.ts'
import { tell } from '../ui.ts'
import { clockTime } from './times.tsx'

/** The last log lines of an account, and those that come; it follows them while it is scrolled to its end. */
export function AccountLog({ accountId }: { accountId: string }): VNode {
  const box = useRef<HTMLDivElement>(null)
  const isAtEnd = useRef(true)
  useEffect(() => {
    logLines.value = []
    logAccountId.value = accountId
    request<{ lines: LogLine[] }>('GET', accountPath(accountId, '/logs?limit=200'))
      .then(({ lines }) => {
        if (logAccountId.peek() !== accountId) return
        // Lines that came over the feed meanwhile are newer than the answer, or in it.
        const last = lines.at(-1)?.sequence ?? 0
        logLines.value = [...lines, ...logLines.peek().filter(({ sequence }) => sequence > last)]
      })
      .catch((error: unknown) => tell('problem', messageOf(error)))
    return () => {
      logAccountId.value = null
      logLines.value = []
    }
  }, [accountId])
  const lines = logLines.value
  useEffect(() => {
    if (isAtEnd.current) box.current?.scrollTo({ top: box.current.scrollHeight })
  }, [lines])
  const onScroll = (): void => {
    const element = box.current
    if (element !== null) isAtEnd.current = element.scrollHeight - element.scrollTop - element.clientHeight < 20
  }
  return (
    <section class="card" aria-labelledby="log-title">
      <h3 id="log-title">Log</h3>
      <div class="log" ref={box} onScroll={onScroll} tabIndex={0} role="log" aria-live="off" aria-label="Log lines">
        {lines.length === 0 && <p class="faint">Nothing was logged since the service was started.</p>}
        {lines.map((line) => (
          <p key={line.sequence} class={`is-${line.level}`}>
            <time dateTime={line.at}>{clockTime(line.at)}</time> <b>{line.level}</b> {line.message}{' '}
            <span class="faint">{fieldWords(line)}</span>
          </p>
        ))}
      </div>
    </section>
  )
}

function fieldWords({ fields }: LogLine): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ')
}
