import type { VNode } from 'preact'
import type { ShownStatus } from '../core/words.ts'

/** Line drawings on a grid of 16, in the colour of the text around them. Always beside a word, so hidden from readers. */
const PATHS = {
  check: 'M3 8.5 6.5 12 13 4.5',
  cross: 'M4 4l8 8M12 4l-8 8',
  plus: 'M8 3v10M3 8h10',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  search: 'M7 11.5A4.5 4.5 0 1 0 7 2.5a4.5 4.5 0 0 0 0 9ZM10.5 10.5 14 14',
  up: 'M8 12.5v-9M4.5 7 8 3.5 11.5 7',
  down: 'M8 3.5v9M4.5 9 8 12.5 11.5 9',
  warning: 'M8 2 14.5 13.5h-13ZM8 6.5v3M8 11.5h.01',
  back: 'M9.5 3.5 5 8l4.5 4.5',
  phone: 'M5 1.5h6a1 1 0 0 1 1 1v11a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1v-11a1 1 0 0 1 1-1ZM7.5 12.5h1',
  copy: 'M5.5 5.5h8v8h-8ZM3 10.5H2.5v-8h8V3',
} as const
export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }): VNode {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}

/** A shape of its own for each state: nobody has to tell the colours apart. */
export function StatusIcon({ status }: { status: ShownStatus }): VNode {
  return (
    <svg class={`status-icon is-${status}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {SHAPES[status]}
    </svg>
  )
}

const SHAPES: Record<ShownStatus, VNode> = {
  connected: (
    <>
      <circle cx="8" cy="8" r="7" />
      <path class="cut" d="M4.8 8.3 7 10.5l4.2-4.8" />
    </>
  ),
  connecting: <path class="open" d="M8 2.2A5.8 5.8 0 1 1 2.2 8" />,
  disconnected: (
    <>
      <path d="M8 .8 15.2 8 8 15.2.8 8Z" />
      <path class="cut" d="M8 4.8v3.8M8 11h.01" />
    </>
  ),
  needs_qr: (
    <path d="M1.5 1.5h5.4v5.4H1.5ZM9.1 1.5h5.4v5.4H9.1ZM1.5 9.1h5.4v5.4H1.5ZM9.1 9.1h2.4v2.4H9.1ZM12.1 12.1h2.4v2.4h-2.4Z" />
  ),
  paused: <path d="M3.5 2.5h3v11h-3ZM9.5 2.5h3v11h-3Z" />,
  not_running: <path d="M2 6.5h12v3H2Z" />,
}
