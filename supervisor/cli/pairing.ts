import { Type } from 'typebox'
import { AddedAccount, Done, PairingCode } from '../http/schemas/commands.ts'
import { DashboardAccount } from '../http/schemas/dashboard.ts'
import { CliError, unlessLost } from './cli-error.ts'
import { shapeOf, type AccountView } from './client.ts'
import { findAccount, type CliCommand, type CliContext } from './context.ts'
import { duration } from './words.ts'

/** Linking a phone from a terminal. */
const changed = shapeOf(Type.Object({ account: DashboardAccount }))
const shown = shapeOf(Type.Object({ accountId: Type.String(), qrCode: Type.Union([Type.String(), Type.Null()]) }))
const snapshot = shapeOf(Type.Object({ accounts: Type.Array(DashboardAccount) }))

export const add: CliCommand = async ([name = '', phone = ''], _options, context) => {
  const { client, print, tell, json } = context
  const { account } = await client.ask('POST', '/api/whatsapp/add-account', shapeOf(AddedAccount), { name, phone })
  const { qrCode, ...rest } = account
  if (json) print(JSON.stringify(rest))
  else print(`${account.accountId}  ${account.status}`)
  if (account.status === 'connected') return 'ok'
  if (json) return 'ok'
  if (qrCode === null) {
    tell(
      `No QR code is offered now (${account.reason ?? account.status}): try \`whatsapp-backend qr ${account.accountId}\`.`,
    )
    return 'refused'
  }
  return followQr(account.accountId, context)
}

/** Shows the QR code, a fresh one whenever it changes, until the account is connected. */
export const qr: CliCommand = async ([wanted = ''], _options, context) => {
  const { client, print, json } = context
  const { accountId, status } = await findAccount(wanted, context)
  if (status === 'connected') {
    throw new CliError('refused', `Account "${accountId}" is linked and connected: log it out first.`, 'already_linked')
  }
  await client.ask('POST', `/api/whatsapp/accounts/${accountId}/pair`, shapeOf(Done))
  if (json) print(JSON.stringify({ accountId, status: 'pairing' }))
  return followQr(accountId, context)
}

export const code: CliCommand = async ([wanted = ''], _options, context) => {
  const { client, print, tell, json } = context
  const { accountId } = await findAccount(wanted, context)
  const answer = await client.ask('POST', `/api/whatsapp/accounts/${accountId}/pairing-code`, shapeOf(PairingCode))
  if (json) print(JSON.stringify({ accountId, code: answer.code }))
  else print(answer.code)
  tell(
    'WhatsApp, Settings, Linked devices, Link a device, Link with phone number instead. It lives three minutes at the most.',
  )
  return 'ok'
}

async function followQr(accountId: string, context: CliContext): Promise<'ok' | 'refused'> {
  const { client, print, tell, json } = context
  let wasShown = false
  const show = async (): Promise<void> => {
    const text = await unlessLost(client.qrText(accountId))
    if (text === undefined) return
    wasShown = true
    print(json ? JSON.stringify({ accountId, qr: text }) : forTerminal(text, context))
    tell('WhatsApp, Settings, Linked devices, Link a device: scan this with the phone of the account.')
  }
  for await (const { name, data } of client.events('', (why) =>
    tell(`The feed is lost: ${why}. It is opened again.`),
  )) {
    if (name === 'account.qr' && shown.Check(data) && data.accountId === accountId && data.qrCode !== null) await show()
    const account = accountIn(name, data, accountId)
    if (account === undefined) continue
    if (account.status === 'connected') {
      if (json) print(JSON.stringify({ accountId, status: 'connected' }))
      else print('Connected.')
      return 'ok'
    }
    // What it said before it was asked does not count.
    if (wasShown && account.needsPerson && account.reason !== 'pairing') {
      tell(account.detail ?? account.reason ?? account.status)
      return 'refused'
    }
    if (account.nextTryAt !== null) {
      tell(`${account.detail ?? ''} It tries again in ${duration(Date.parse(account.nextTryAt) - context.nowMs())}.`)
    }
  }
  return 'refused'
}

function accountIn(name: string, data: unknown, accountId: string): AccountView | undefined {
  if (name === 'account.status' && changed.Check(data)) {
    return data.account.accountId === accountId ? data.account : undefined
  }
  if (name !== 'snapshot' || !snapshot.Check(data)) return undefined
  return data.accounts.find((account) => account.accountId === accountId)
}

/** Black on white whatever the terminal's colours are: some phones don't read the inverse. */
function forTerminal(text: string, { isTerminal }: Pick<CliContext, 'isTerminal'>): string {
  if (!isTerminal) return text
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `\u001b[30;107m${line}\u001b[0m`)
    .join('\n')
}
