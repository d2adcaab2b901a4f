import type { Segment } from '../api-types.ts'
import { duration, shownStatus, STATUS_WORDS, type ShownStatus } from './words.ts'

/** A day of one account as a strip: pieces of states, left to right, in units of the strip's width. */
export interface StripPiece {
  x: number
  width: number
  status: ShownStatus
}

/** Narrower ones can't be seen; a short failure is still drawn this wide, because failures are what people look for. */
const LEAST_WIDTH = 1

export function stripPieces(segments: readonly Segment[], fromMs: number, toMs: number, width: number): StripPiece[] {
  const scale = width / (toMs - fromMs)
  const pieces: StripPiece[] = []
  for (const { startMs, endMs, status } of spans(segments, fromMs, toMs)) {
    const last = pieces.at(-1)
    // What was drawn wider than it was is not drawn over.
    const x = Math.max((startMs - fromMs) * scale, last === undefined ? 0 : last.x + last.width)
    const wide = (endMs - fromMs) * scale - x
    const isFailure = status === 'disconnected' || status === 'needs_qr'
    if (last !== undefined && (last.status === status || (wide < LEAST_WIDTH && !isFailure))) {
      last.width += Math.max(0, wide)
    } else if (wide > 0 || isFailure) {
      pieces.push({ x, width: Math.max(isFailure ? LEAST_WIDTH : 0, wide), status })
    }
  }
  return pieces
}

/** For those who can't see it: `Connected 98 % of the last 24 hours, 2 interruptions, 12 min in all.` */
export function stripWords(segments: readonly Segment[], fromMs: number, toMs: number): string {
  const all = spans(segments, fromMs, toMs)
  const [first] = all
  if (first === undefined) return 'Nothing is known of the last 24 hours.'
  const knownMs = toMs - first.startMs
  const upMs = all.reduce((sum, { startMs, endMs, status }) => sum + (status === 'connected' ? endMs - startMs : 0), 0)
  if (upMs === 0) return `${STATUS_WORDS[first.status]}, not connected in the last 24 hours.`
  const breaks = all.filter(
    (span, index) => span.status !== 'connected' && all[index - 1]?.status === 'connected',
  ).length
  const share = Math.floor((upMs / knownMs) * 1000) / 10
  const down =
    breaks === 0
      ? 'no interruption'
      : `${breaks} interruption${breaks === 1 ? '' : 's'}, ${duration(knownMs - upMs)} in all`
  return `Connected ${share} % of the last ${duration(knownMs)}: ${down}.`
}

/** Adds a state that begins now; what is older than the strip goes, but for the one that reaches into it. */
export function extend(segments: readonly Segment[], next: Segment, fromMs: number): Segment[] {
  const last = segments.at(-1)
  if (last !== undefined && last.status === next.status && last.reason === next.reason) return [...segments]
  // The page may learn of a state a second time, from a snapshot that is newer than its history.
  const all = [...segments.filter(({ from }) => from < next.from), next]
  return all.filter((_, index) => Date.parse(all[index + 1]?.from ?? next.from) >= fromMs || index === all.length - 1)
}

function* spansOf(segments: readonly Segment[], fromMs: number, toMs: number): Generator<Span> {
  for (const [index, segment] of segments.entries()) {
    const startMs = Math.max(fromMs, Date.parse(segment.from))
    const endMs = Math.min(toMs, Date.parse(segments[index + 1]?.from ?? new Date(toMs).toISOString()))
    if (endMs > startMs) yield { startMs, endMs, status: shownStatus(segment) }
  }
}

interface Span {
  startMs: number
  endMs: number
  status: ShownStatus
}

function spans(segments: readonly Segment[], fromMs: number, toMs: number): Span[] {
  return [...spansOf(segments, fromMs, toMs)]
}
