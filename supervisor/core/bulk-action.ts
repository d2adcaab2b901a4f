import type { ErrorCode } from '../../shared/errors.ts'

/** What can be done with a selection of accounts. */
export const ACTIONS = ['restart', 'pause', 'resume', 'pair', 'logout', 'remove'] as const
export type ActionName = (typeof ACTIONS)[number]

export interface ActionResult {
  accountId: string
  outcome: 'done' | 'error'
  error?: { code: ErrorCode; message: string }
}

/** One such action, under way or over. Times are epoch ms. */
export interface Action {
  id: string
  action: ActionName
  total: number
  startedAtMs: number
  /** Null while it is under way. */
  finishedAtMs: number | null
  /** In the order in which the accounts were done. */
  results: readonly ActionResult[]
}

/** Those that are over are kept for whoever asks what came of them; those that are not, always. */
export function keepNewest(actions: readonly Action[], most: number): Action[] {
  const finished = actions.filter(({ finishedAtMs }) => finishedAtMs !== null)
  const dropped = new Set(finished.slice(0, Math.max(0, finished.length - most)))
  return actions.filter((action) => !dropped.has(action))
}

export function withResult(action: Action, result: ActionResult, nowMs: number): Action {
  const results = [...action.results, result]
  return { ...action, results, finishedAtMs: results.length >= action.total ? nowMs : null }
}

/** How many accounts are through, and of how many of these nothing came. */
export function countsOf({ results }: Action): { done: number; failed: number } {
  const failed = results.filter(({ outcome }) => outcome === 'error').length
  return { done: results.length, failed }
}
