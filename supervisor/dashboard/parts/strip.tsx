import type { VNode } from 'preact'
import type { Signal } from '@preact/signals'
import type { Segment } from '../api-types.ts'
import { stripPieces, stripWords } from '../core/strip.ts'
import type { ShownStatus } from '../core/words.ts'
import { slowNowMs } from './times.tsx'

export const DAY_MS = 86_400_000
const HEIGHT = 16
/** The better, the taller: the strip can be read without its colours. */
const TALL: Record<ShownStatus, number> = {
  connected: 16,
  connecting: 11,
  needs_qr: 8,
  disconnected: 6,
  paused: 3,
  not_running: 1,
}

/** A day of an account. */
export function Strip({ segments, width = 144 }: { segments: Signal<readonly Segment[]>; width?: number }): VNode {
  const toMs = slowNowMs.value
  const fromMs = toMs - DAY_MS
  const words = stripWords(segments.value, fromMs, toMs)
  return (
    <svg class="strip" viewBox={`0 0 ${width} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={words}>
      <title>{words}</title>
      <rect class="ground" x="0" y={HEIGHT - 1} width={width} height="1" />
      {stripPieces(segments.value, fromMs, toMs, width).map(({ x, width: wide, status }) => (
        <rect key={x} class={`is-${status}`} x={x} y={HEIGHT - TALL[status]} width={wide} height={TALL[status]} />
      ))}
    </svg>
  )
}
