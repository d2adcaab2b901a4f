import { setTimeout as pause } from 'node:timers/promises'
import type { ActionName } from '../core/bulk-action.ts'
import { ActionStarted, ActionState } from '../http/schemas/bulk.ts'
import { CliError } from './cli-error.ts'
import { shapeOf, type AccountView } from './client.ts'
import { findAccount, type CliCommand } from './context.ts'
import { plain } from './words.ts'

/** The same thing with one account or many. */
const POLL_MS = 300

/** What is not undone by its opposite. */
const ASKED_FOR: Partial<Record<ActionName, { question: (names: string) => string; refused: string }>> = {
  logout: {
    question: (names) =>
      `Log out ${names}? WhatsApp unlinks this device at once, and the phone has to be linked again.`,
    refused: 'Nothing was logged out.',
  },
  remove: {
    question: (names) =>
      `Remove ${names}? The session is set aside on the disk, from where it can be put back; the backups are deleted.`,
    refused: 'Nothing was removed.',
  },
}
/** More are counted: who answers has to see the question. */
const MOST_NAMES = 10

export function action(name: ActionName): CliCommand {
  return async (operands, { all, yes }, context) => {
    const { client, print, tell, json, confirm } = context
    if ((operands.length === 0) !== all) throw new CliError('usage', `${name} takes accounts, or --all`)
    const accounts = all
      ? (await client.dashboard()).accounts
      : await Promise.all(operands.map((operand) => findAccount(operand, context)))
    const accountIds = accounts.map(({ accountId }) => accountId)
    if (accountIds.length === 0) return 'ok'
    const asked = ASKED_FOR[name]
    if (asked !== undefined && !yes && !(await confirm(asked.question(namesOf(accounts))))) {
      throw new CliError('refused', `${asked.refused} Where nobody can be asked, say --yes.`, 'not_confirmed')
    }
    const body = { action: name, accountIds }
    const { actionId, total } = await client.ask('POST', '/api/whatsapp/actions', shapeOf(ActionStarted), body)
    let told = 0
    for (;;) {
      const { action: state } = await client.ask('GET', `/api/whatsapp/actions/${actionId}`, shapeOf(ActionState))
      if (!json) {
        for (const { accountId, outcome, error } of state.results.slice(told)) {
          if (outcome === 'done') print(`${accountId}: ${name} done`)
          else tell(`${accountId}: ${error?.message ?? 'failed'}`)
        }
      }
      told = state.results.length
      if (state.finishedAt !== null) {
        if (json) print(JSON.stringify(state, null, 2))
        else if (total > 1) print(`${state.done - state.failed} of ${total} done`)
        return state.failed === 0 ? 'ok' : 'refused'
      }
      await pause(POLL_MS)
    }
  }
}

function namesOf(accounts: readonly AccountView[]): string {
  const names = accounts.slice(0, MOST_NAMES).map(({ name, accountId }) => `${plain(name)} (${accountId})`)
  const others = accounts.length - names.length
  return names.join(', ') + (others > 0 ? ` and ${others} more` : '')
}
