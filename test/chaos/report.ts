import type { Action } from './actions.ts'
import type { HealingOfAction } from './healing.ts'
import type { Verdict } from './judge.ts'
import { median } from './memory.ts'

export interface Report {
  readonly seed: number
  readonly accounts: number
  readonly minutes: number
  readonly actions: readonly (Action & { readonly healing: HealingOfAction | undefined })[]
  readonly operatorRestarts: number
  /** Logins that succeeded since the fleet was paired. */
  readonly reconnects: number
  /** "status reason" of the accounts' connections, with how often each was seen. */
  readonly changes: Readonly<Record<string, number>>
  /** "level event" of the service's log, warn and worse, with how often each was seen. */
  readonly complaints: Readonly<Record<string, number>>
  /** Half lines, as a killed process may leave them. */
  readonly tornLines: number
  readonly messages: number
  readonly tookMs: number
  readonly verdicts: readonly Verdict[]
}

export function isPassed({ verdicts }: Report): boolean {
  return verdicts.every(({ ok }) => ok)
}

/** The end of what a run prints: what it saw, and the verdicts. */
export function describeReport(report: Report): string[] {
  const { seed, accounts, minutes, actions, reconnects, messages, operatorRestarts, verdicts, tookMs } = report
  const failed = verdicts.filter(({ ok }) => !ok).length
  const outcome = failed === 0 ? 'All held.' : `${failed} of ${verdicts.length} demands FAILED.`
  return [
    '',
    'Time from an action until all whom it struck were online again (others overlap with it):',
    ...healingTable(report),
    '',
    'What the connections went through:',
    ...counts(report.changes),
    '',
    'What the log complains of:',
    ...counts(report.complaints),
    '',
    ...verdicts.map(({ ok, demand, detail }) => `${ok ? 'ok    ' : 'FAILED'}  ${demand}: ${detail}`),
    '',
    `${outcome} Seed ${seed}: ${actions.length} actions on ${accounts} accounts in ${minutes} min, ${reconnects} logins, ` +
      `${messages} messages, ${operatorRestarts} restarts by the operator; ${(tookMs / 1000).toFixed(0)} s in all.`,
  ]
}

function healingTable({ actions }: Report): string[] {
  const names = [...new Set(actions.map(({ name }) => name))].sort()
  return names.map((name) => {
    const all = actions.flatMap((action) => (action.name === name && action.healing ? [action.healing] : []))
    const healed = all.flatMap(({ healedAfterMs }) => (healedAfterMs === null ? [] : [healedAfterMs]))
    const untouched = all.filter(({ struck }) => struck === 0).length
    const waiting = all.filter(({ waiting }) => waiting > 0).length
    const times =
      healed.length === 0 ? '' : `median ${seconds(median(healed))}, longest ${seconds(Math.max(...healed))}`
    const rest = [
      ...(untouched > 0 ? [`${untouched} ended no connection`] : []),
      ...(waiting > 0 ? [`${waiting} not back`] : []),
    ]
    return `  ${name.padEnd(26)} ${String(all.length).padStart(3)} times  ${[times, ...rest].filter(Boolean).join('; ')}`
  })
}

function counts(of: Readonly<Record<string, number>>): string[] {
  const sorted = Object.entries(of).sort(([, a], [, b]) => b - a)
  return sorted.map(([name, count]) => `  ${String(count).padStart(6)}  ${name}`)
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
