import type { Row } from './row.ts'

/**
 * The same drops against gateways of the field that keep all accounts in one process, 30 accounts, 2 cores, loopback, one
 * run each, measured 2026-11-23.
 */
export const FIELD = {
  source: 'gateways with all accounts in one process, 30 accounts, measured 2026-11-23',
  rows: [
    { drop: 'server healthy: all back', first: '0.94 s', second: '0.47 s; an account with a backlog never' },
    { drop: 'refuses for 4 s: all back after', first: '28.1 s', second: '29 at once, one never' },
    { drop: 'refuses for 60 s: attempts in it', first: '330 in two bursts, 156/s', second: '4,680' },
    { drop: 'refuses for 60 s: CPU in it', first: '1.2 s', second: '66 s' },
    { drop: 'refuses for 60 s: said meanwhile', first: 'a count of 0', second: '"open" for all 30' },
  ],
} as const

const COLUMNS: readonly [string, (row: Row) => string][] = [
  ['accounts', ({ accounts }) => String(accounts)],
  ['server', ({ mode }) => mode],
  ['away s', ({ outageS }) => String(outageS)],
  ['attempts', ({ attemptsDuring }) => String(attemptsDuring)],
  ['/min', ({ attemptsPerMinute }) => show(attemptsPerMinute)],
  ['max/s', ({ maxAttemptsPerS }) => String(maxAttemptsPerS)],
  ['first back s', ({ firstBackS }) => show(firstBackS)],
  ['all back s', ({ allBackS }) => show(allBackS)],
  ['by API s', ({ allBackByApiS }) => show(allBackByApiS)],
  ['attempts after', ({ attemptsAfter }) => String(attemptsAfter)],
  ['CPU away s: supervisor + workers', ({ cpuDuring }) => `${cpuDuring.supervisorS} + ${cpuDuring.workersS}`],
  ['CPU return s', ({ cpuReturn }) => `${cpuReturn.supervisorS} + ${cpuReturn.workersS}`],
  ['said', ({ said }) => (said.trouble === null ? '' : 'trouble; ') + mostSaid(said.statuses)],
  ['needs_qr', ({ everNeedsQr }) => String(everNeedsQr)],
  ['load', ({ loadBefore }) => loadBefore.split(' ')[0] ?? ''],
]

/** A table of Markdown. */
export function tableOf(rows: readonly Row[]): string {
  const lines = [COLUMNS.map(([name]) => name), COLUMNS.map(() => '---'), ...rows.map(cellsOf)]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

export function fieldTable(): string {
  const lines = [
    ['drop', 'one', 'another'],
    ['---', '---', '---'],
    ...FIELD.rows.map(({ drop, first, second }) => [drop, first, second]),
  ]
  return `${FIELD.source}:\n\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`
}

function cellsOf(row: Row): string[] {
  return COLUMNS.map(([, cell]) => cell(row))
}

function show(value: number | null): string {
  return value === null ? '' : String(value)
}

function mostSaid(statuses: Readonly<Record<string, number>>): string {
  return Object.entries(statuses)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 2)
    .map(([status, count]) => `${count} ${status}`)
    .join(', ')
}
