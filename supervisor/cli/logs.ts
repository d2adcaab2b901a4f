import { Type, type Static } from 'typebox'
import { LogLines } from '../http/schemas/accounts.ts'
import { unlessLost } from './cli-error.ts'
import { shapeOf } from './client.ts'
import { findAccount, type CliCommand } from './context.ts'
import { plain } from './words.ts'

const lines = shapeOf(LogLines)
type Line = Static<typeof LogLines>['lines'][number]
const lineEvent = shapeOf(Type.Object({ accountId: Type.String(), ...LogLines.properties.lines.items.properties }))

/** The last lines of an account's log, and what follows. */
export const logs: CliCommand = async ([wanted = ''], { follow, lines: limit }, context) => {
  const { client, print, tell, json } = context
  const { accountId } = await findAccount(wanted, context)
  tell(`The journal has all of it: journalctl -t ${accountId} -f`)
  const show = (line: Line): void => print(json ? JSON.stringify(line) : textOf(line))
  const past = (): Promise<Static<typeof LogLines>> =>
    client.ask('GET', `/api/whatsapp/accounts/${accountId}/logs?limit=${limit}`, lines)
  if (!follow) {
    for (const line of (await past()).lines) show(line)
    return 'ok'
  }
  let last = 0
  let isBegun = false
  const events = client.events(`?logs=${accountId}`, (why) => tell(`The feed is lost: ${why}. It is opened again.`))
  for await (const { name, data } of events) {
    // Once the stream is open nothing is missed: what was before it is asked for, and what came twice is left out.
    if (name === 'snapshot') {
      isBegun = false
      last = 0
    }
    if (!isBegun) {
      const before = await unlessLost(past())
      if (before === undefined) continue
      isBegun = true
      for (const line of before.lines) {
        if (line.sequence > last) show(line)
        last = Math.max(last, line.sequence)
      }
    }
    if (name !== 'account.log' || !lineEvent.Check(data) || data.sequence <= last) continue
    last = data.sequence
    show(data)
  }
  return 'ok'
}

function textOf({ at, level, event, message, fields }: Line): string {
  const more = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return plain([at, level.padEnd(5), event ?? '-', message, ...more].join(' '))
}
