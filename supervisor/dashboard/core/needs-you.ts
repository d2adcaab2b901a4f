import type { Account } from '../api-types.ts'
import { shownStatus } from './words.ts'

/** What a person does about an account that waits for one: which button is the right one. */
export type Remedy = 'scan' | 'restart' | 'recover' | 'open'

export const REMEDY_WORDS: Record<Remedy, string> = {
  scan: 'Show QR',
  restart: 'Restart',
  recover: 'Recover',
  open: 'Look at it',
}

type TodoAction = NonNullable<Account['todo']>['action']

const REMEDIES: Record<TodoAction, Remedy> = {
  scan_qr: 'scan',
  ask_for_qr: 'scan',
  restart: 'restart',
  see_phone: 'restart',
  update: 'restart',
  end_other_process: 'restart',
  recover: 'recover',
  resume: 'open',
  remove_one: 'open',
  free_disk: 'open',
  check_disk: 'open',
  free_memory: 'open',
  check_backup: 'open',
}

export interface Need {
  todo: string
  remedy: Remedy
}

/** Null where nobody is needed. A paused account was paused by somebody. */
export function needOf(account: Account): Need | null {
  const { todo, needsPerson, needsQR, detail } = account
  if (shownStatus(account) === 'paused' || !(needsPerson || needsQR)) return null
  if (todo !== null) return { todo: todo.message, remedy: REMEDIES[todo.action] }
  return { todo: detail ?? 'It waits for a person.', remedy: needsQR ? 'scan' : 'open' }
}

/** Those that need a decision come before those that only need a phone. */
export function compareNeeds(a: Need, b: Need): number {
  return Number(a.remedy === 'scan') - Number(b.remedy === 'scan')
}
