import type { VNode } from 'preact'
import { signal } from '@preact/signals'
import { age, countdown, duration } from '../core/words.ts'
import { nowMs } from '../store.ts'

/**
 * Times that go on by themselves. What is shown in minutes looks at a clock that moves every ten seconds, so that a table
 * of two hundred accounts is not drawn anew each second.
 */
const SLOW_MS = 10_000
export const slowNowMs = signal(nowMs.value)
nowMs.subscribe((now) => {
  if (Math.abs(now - slowNowMs.peek()) >= SLOW_MS) slowNowMs.value = now
})
const FINE_MS = 120_000

export function Age({ at }: { at: string | null | undefined }): VNode {
  if (at === null || at === undefined) return <span class="faint">–</span>
  const isFresh = nowMs.peek() - Date.parse(at) < FINE_MS + SLOW_MS
  const text = age(at, isFresh ? nowMs.value : slowNowMs.value)
  return (
    <time dateTime={at} title={longTime(at)}>
      {text}
    </time>
  )
}

export function Countdown({ to }: { to: string | null }): VNode {
  return <span class="number">{countdown(to, nowMs.value)}</span>
}

/** Since an epoch time, for uptimes. */
export function Since({ ms }: { ms: number }): VNode {
  return <span class="number">{duration(slowNowMs.value - ms)}</span>
}

const LONG = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' })

export function longTime(iso: string): string {
  return LONG.format(new Date(iso))
}

export function clockTime(iso: string): string {
  return CLOCK.format(new Date(iso))
}
