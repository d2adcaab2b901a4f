import { Compile } from 'typebox/compile'
import { Type } from 'typebox'
import { Dashboard, DashboardAccount, FleetState } from '../http/schemas/dashboard.ts'
import type { DashboardView } from './client.ts'
import type { CliCommand, CliContext } from './context.ts'
import { findAccount } from './context.ts'
import { allIsWell, plain, reasonText, statusText } from './words.ts'

const snapshot = Compile(Dashboard)
const fleet = Compile(FleetState)
const changed = Compile(Type.Object({ account: DashboardAccount }))
const removed = Compile(Type.Object({ accountId: Type.String() }))

/** A burst of events is one picture. */
const REDRAW_MS = 200
/** Ages and countdowns go on by themselves. */
const TICK_MS = 1000

/** Ends with 1 where an account that shall run is not connected. */
export const status: CliCommand = async (operands, { watch: isLive }, context) => {
  const { client, print, json, nowMs, isTerminal } = context
  if (isLive) return watch(context)
  const dashboard = await client.dashboard()
  const [wanted] = operands
  const only = wanted === undefined ? undefined : (await findAccount(wanted, context)).accountId
  const accounts = dashboard.accounts.filter(({ accountId }) => only === undefined || accountId === only)
  const shown = { ...dashboard, accounts }
  print(json ? JSON.stringify(withoutQr(shown), null, 2) : statusText(shown, nowMs(), isTerminal))
  return allIsWell(shown) ? 'ok' : 'refused'
}

/** A code is shown by the command that is for it. */
function withoutQr(dashboard: DashboardView): DashboardView {
  const accounts = dashboard.accounts.map((account) => {
    const shown = { ...account }
    delete shown.qrCode
    delete shown.qrExpiresAt
    return shown
  })
  return { ...dashboard, accounts }
}

/** For a person the whole picture, again and again; for a program a line for each change. */
async function watch(context: CliContext): Promise<'ok'> {
  const { client, print, tell, json, nowMs, isTerminal } = context
  let now: DashboardView | undefined
  let lost = ''
  let timer: NodeJS.Timeout | undefined
  const draw = (): void => {
    timer = undefined
    if (now === undefined) return
    const warning = lost === '' ? '' : `\nTHE SERVICE DOES NOT ANSWER (${lost}): this is old.`
    print(`\u001b[H\u001b[2J${statusText(now, nowMs(), true)}${warning}`)
  }
  const isPicture = isTerminal && !json
  const tick = isPicture ? setInterval(draw, TICK_MS) : undefined
  try {
    const events = client.events('', (why) => {
      lost = why
      if (!isPicture) tell(`The feed is lost: ${why}. It is opened again.`)
    })
    for await (const { name, data } of events) {
      lost = ''
      now = apply(now, name, data)
      if (json) print(JSON.stringify({ event: name, data }))
      else if (isPicture) timer ??= setTimeout(draw, REDRAW_MS)
      else if (name === 'snapshot' && now !== undefined) print(statusText(now, nowMs(), false))
      else if (name === 'account.status' && changed.Check(data)) {
        const { accountId, name: called, status: became } = data.account
        const at = new Date(nowMs()).toISOString()
        print(`${at} ${accountId} ${became} ${plain(called)} ${reasonText(data.account, nowMs())}`.trimEnd())
      }
    }
    return 'ok'
  } finally {
    clearInterval(tick)
    clearTimeout(timer)
  }
}

function apply(now: DashboardView | undefined, name: string, data: unknown): DashboardView | undefined {
  if (name === 'snapshot') return snapshot.Check(data) ? data : now
  if (now === undefined) return undefined
  if (name === 'account.status' && changed.Check(data)) {
    const { account } = data
    const isKnown = now.accounts.some(({ accountId }) => accountId === account.accountId)
    const accounts = isKnown
      ? now.accounts.map((each) => (each.accountId === account.accountId ? account : each))
      : [...now.accounts, account]
    return { ...now, accounts }
  }
  if (name === 'account.removed' && removed.Check(data)) {
    return { ...now, accounts: now.accounts.filter(({ accountId }) => accountId !== data.accountId) }
  }
  if (name === 'fleet.event' && fleet.Check(data)) return { ...now, ...data }
  return now
}
