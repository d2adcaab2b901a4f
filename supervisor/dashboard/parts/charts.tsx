import type { VNode } from 'preact'
import { bars, stepArea } from '../core/chart.ts'
import { plural } from '../core/words.ts'
import { fleet, history } from '../store.ts'
import { DAY_MS } from './strip.tsx'
import { slowNowMs } from './times.tsx'

const BOX = { width: 200, height: 36 }

/** How many accounts were connected over the last day. */
export function ConnectedChart(): VNode {
  const toMs = slowNowMs.value
  const fromMs = toMs - DAY_MS
  const total = fleet.value?.summary.total ?? 0
  const points = history.value.connected.map(({ at, count }) => ({ atMs: Date.parse(at), value: count }))
  const values = points.flatMap(({ value }) => (value === null ? [] : [value]))
  const most = Math.max(total, ...values, 1)
  const { line, area } = stepArea(points, fromMs, toMs, most, BOX)
  const least = values.length === 0 ? null : Math.min(...values)
  const words =
    least === null
      ? 'Nothing is known of the last 24 hours yet.'
      : `Connected over the last 24 hours: between ${least} and ${Math.max(...values)}.`
  return (
    <Chart title="Connected, 24 h" note={least === null ? '–' : `low ${least}`} words={words}>
      <path class="area" d={area} />
      <path class="line" d={line} />
    </Chart>
  )
}

/** Messages of all accounts, in above the line and out below it. */
export function MessagesChart(): VNode {
  const half = { width: BOX.width, height: BOX.height / 2 - 1 }
  const { messages } = history.value
  const most = Math.max(1, ...messages.flatMap((slot) => [slot.in, slot.out]))
  const sum = (of: 'in' | 'out'): number => messages.reduce((total, slot) => total + slot[of], 0)
  const words = `Messages over the last 24 hours: ${sum('in')} in, ${sum('out')} out.`
  return (
    <Chart title="Messages, 24 h" note={`${sum('in')} in · ${sum('out')} out`} words={words}>
      {bars(
        messages.map((slot) => slot.in),
        most,
        half,
      ).map(({ x, y, width, height }) => (
        <rect key={`i${x}`} class="bar-in" x={x} y={y} width={width} height={height} />
      ))}
      {bars(
        messages.map((slot) => slot.out),
        most,
        half,
      ).map(({ x, width, height }) => (
        <rect key={`o${x}`} class="bar-out" x={x} y={BOX.height / 2 + 1} width={width} height={height} />
      ))}
      <rect class="axis" x="0" y={BOX.height / 2 - 0.5} width={BOX.width} height="1" />
    </Chart>
  )
}

function Chart(props: {
  title: string
  note: string
  words: string
  children: VNode | VNode[] | (VNode | VNode[])[]
}): VNode {
  return (
    <figure class="chart">
      <figcaption>
        <span>{props.title}</span>
        <span class="faint number">{props.note}</span>
      </figcaption>
      <svg viewBox={`0 0 ${BOX.width} ${BOX.height}`} preserveAspectRatio="none" role="img" aria-label={props.words}>
        {props.children}
      </svg>
    </figure>
  )
}

/** For a bar that fills while something of known length goes on. */
export function Progress({ done, total, label }: { done: number; total: number; label: string }): VNode {
  return (
    <progress value={done} max={Math.max(1, total)} aria-label={`${label}: ${done} of ${plural(total, 'account')}`} />
  )
}
