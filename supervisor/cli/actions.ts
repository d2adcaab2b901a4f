import { setTimeout as pause } from 'node:timers/promises'
import type { ActionName } from '../core/bulk-action.ts'
import { ActionStarted, ActionState } from '../http/schemas/bulk.ts'
import { CliError } from './cli-error.ts'
import { shapeOf } from './client.ts'
import { findAccount, type CliCommand } from './context.ts'

/** The same thing with one account or many. */
const POLL_MS = 300

export function action(name: ActionName): CliCommand {
  return async (operands, { all, yes }, context) => {
    const { client, print, tell, json, confirm } = context
    if (operands.length === 0 && !all) throw new CliError('usage', `${name} takes accounts, or --all`)
    const accounts = all
      ? (await client.dashboard()).accounts
      : await Promise.all(operands.map((operand) => findAccount(operand, context)))
    const accountIds = accounts.map(({ accountId }) => accountId)
    if (accountIds.length === 0) return 'ok'
    if (name === 'remove' && !yes) {
      const names = accounts.map(({ name: called }) => called).join(', ')
      const question = `Remove ${names}? The session is set aside on the disk, and the phone has to be linked again.`
      if (!(await confirm(question))) {
        throw new CliError('refused', 'Nothing was removed. Where nobody can be asked, say --yes.', 'not_confirmed')
      }
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
