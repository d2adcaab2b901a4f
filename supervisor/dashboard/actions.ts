import { accountPath, messageOf, request } from './api.ts'
import type { Account, ActionName, ActionResult } from './api-types.ts'
import { plural } from './core/words.ts'
import { selection, signalsOf } from './store.ts'
import { dialog, tell } from './ui.ts'

/** What a person does with accounts. Each says how it went; none of them throws. */
const DONE_WORDS: Record<ActionName, string> = {
  restart: 'restarts',
  pause: 'is paused',
  resume: 'resumes',
  pair: 'asks for a QR code',
  logout: 'is logged out',
  remove: 'was removed',
}

const BULK_WORDS: Record<ActionName, string> = {
  restart: 'Restarting',
  pause: 'Pausing',
  resume: 'Resuming',
  pair: 'Asking for QR codes of',
  logout: 'Logging out',
  remove: 'Removing',
}

/** What is lost, in words, for what asks first. */
const CONSEQUENCES: Partial<Record<ActionName, string[]>> = {
  logout: [
    'The device is unlinked at WhatsApp. To use the account here again, its phone has to scan a QR code.',
    'Messages that arrive meanwhile are on the phone alone.',
    'The session is set aside on the disk; it can not connect any more.',
  ],
  remove: [
    'The account stops and disappears from this list, with its history.',
    'Its session is set aside on the disk, and can be put back from "Set aside" while it is kept there.',
    'Its backups, where there are any, are deleted.',
  ],
}

const TITLES: Partial<Record<ActionName, string>> = { logout: 'Log out', remove: 'Remove' }

/** Asks first where something is lost, then does it: with one account at once, with many one after another. */
export function act(action: ActionName, accountIds: readonly string[]): void {
  const lines = CONSEQUENCES[action]
  if (lines === undefined) return void carryOut(action, accountIds)
  const [only = ''] = accountIds
  const whom = accountIds.length === 1 ? nameOf(only) : plural(accountIds.length, 'account')
  const title = TITLES[action] ?? action
  const confirm = (): Promise<void> => carryOut(action, accountIds)
  dialog.value = { name: 'confirm', title: `${title} ${whom}?`, lines, button: `${title} ${whom}`, confirm }
}

async function carryOut(action: ActionName, accountIds: readonly string[]): Promise<void> {
  const [only = ''] = accountIds
  try {
    if (accountIds.length === 1) {
      const name = nameOf(only)
      await (action === 'remove'
        ? request('DELETE', accountPath(only))
        : request('POST', accountPath(only, `/${action}`)))
      tell('done', `${name} ${DONE_WORDS[action]}.`)
      return
    }
    const { actionId } = await request<{ actionId: string }>('POST', '/api/whatsapp/actions', { action, accountIds })
    tell('done', `${BULK_WORDS[action]} ${plural(accountIds.length, 'account')}, one after another.`)
    selection.value = new Set()
    await reportEnd(actionId, action)
  } catch (error) {
    tell('problem', messageOf(error))
  }
}

/** Between two looks at a bulk action that runs: its toast may be so late. */
const LOOK_AGAIN_MS = 1000

/**
 * Asks until the bulk action has ended, and tells what failed. The feed is no help: it looks at the fleet once a second,
 * so one that is short begins and ends without an event.
 */
async function reportEnd(actionId: string, action: ActionName): Promise<void> {
  for (;;) {
    const { action: state } = await request<{ action: { finishedAt: string | null; results: ActionResult[] } }>(
      'GET',
      `/api/whatsapp/actions/${actionId}`,
    )
    if (state.finishedAt !== null) return tellResults(action, state.results)
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

function tellResults(action: ActionName, results: readonly ActionResult[]): void {
  const failed = results.filter(({ error }) => error !== undefined)
  const [first] = failed
  const words = `${BULK_WORDS[action]} ${plural(results.length, 'account')}`
  if (first === undefined) return tell('done', `${words}: done.`)
  const example = `${nameOf(first.accountId)}: ${first.error?.message ?? ''}`
  tell('problem', `${words}: ${failed.length} failed. ${example}`)
}

export async function recover(accountId: string, from: 'readable' | 'previous' | 'backup'): Promise<boolean> {
  return attempt(`${nameOf(accountId)} is being recovered.`, () =>
    request('POST', accountPath(accountId, '/recover'), { from }),
  )
}

export async function rename(accountId: string, name: string): Promise<boolean> {
  return attempt(`Renamed to ${name}.`, () => request('PATCH', accountPath(accountId), { name }))
}

export async function setConnectsPaused(paused: boolean): Promise<void> {
  await attempt(paused ? 'All connects are paused.' : 'Connects go on.', () =>
    request('POST', `/api/whatsapp/connects/${paused ? 'pause' : 'resume'}`),
  )
}

export async function copyJournalLine(accountId: string): Promise<void> {
  const line = journalLine(accountId)
  await navigator.clipboard.writeText(line).then(
    () => tell('done', `Copied: ${line}`),
    // Without TLS the browser has no clipboard for pages of other machines.
    () => tell('problem', `The browser refused to copy. The line is: ${line}`),
  )
}

export function journalLine(accountId: string): string {
  return `journalctl -t ${accountId} -f`
}

/** Whether it went well; either way the person is told. */
export async function attempt(done: string, run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run()
    tell('done', done)
    return true
  } catch (error) {
    tell('problem', messageOf(error))
    return false
  }
}

export function nameOf(accountId: string): string {
  return signalsOf(accountId)?.account.value.name ?? accountId
}

export function isPaused(account: Account): boolean {
  return account.desired === 'paused' || account.reason === 'paused'
}
