import type { Row } from './row.ts'

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
