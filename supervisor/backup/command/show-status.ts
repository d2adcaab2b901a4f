import pLimit from 'p-limit'
import { messageOf } from '../../../shared/errors.ts'
import { maskPhone } from '../../../shared/phone.ts'
import type { AccountDocument, ArchiveInfo, Owner } from '../target.ts'
import type { CommandContext, CommandResult } from './context.ts'
import { ageInWords, keyInWords, plainText, sizeInWords } from '../words.ts'

const AT_ONCE = 5

interface Row {
  account: AccountDocument
  owner: Owner | null
  archives: ArchiveInfo[]
  problem: string | null
}

/** What is kept of whom, and whether the present keys open it; no bytes are fetched. */
export async function showStatus(context: CommandContext): Promise<CommandResult> {
  const { place, keyRing, clock, print } = context
  const accounts = await place.target.readAccounts()
  accounts.sort((a, b) => a.name.localeCompare(b.name) || (a.accountId < b.accountId ? -1 : 1))
  const limit = pLimit(AT_ONCE)
  const rows = await Promise.all(accounts.map((account) => limit(() => rowOf(account, context))))
  for (const { account, owner, archives, problem } of rows) {
    const phone = account.phone === null ? 'no phone known' : maskPhone(account.phone)
    print(`${account.accountId}  ${plainText(account.name)}  ${phone}  ${account.desired}`)
    if (problem !== null) print(`  could not be read: ${plainText(problem)}`)
    else print(`  host  ${ownerInWords(owner)}`)
    for (const { rev, savedAtMs, sealedBytes, plainBytes, keyId } of archives) {
      const age = ageInWords(clock.nowMs() - savedAtMs)
      const sizes = `${sizeInWords(sealedBytes)} sealed, ${sizeInWords(plainBytes)} open`
      print(`  revision ${rev}  ${age} old  ${sizes}  key ${keyId} (${keyInWords(keyId, keyRing)})`)
    }
    if (problem === null && archives.length === 0) print('  no backup is kept')
  }
  const ids = new Set([keyRing.current, ...keyRing.older].map(({ id }) => id))
  const closed = rows.flatMap(({ archives }) => archives).filter(({ keyId }) => !ids.has(keyId)).length
  const kept = rows.filter(({ archives }) => archives.length > 0).length
  print(`${rows.length} accounts, ${kept} with a backup. Present key ${keyRing.current.id}.`)
  if (closed > 0) print(`${closed} revisions are sealed with keys that are not configured.`)
  return rows.some(({ problem }) => problem !== null) || closed > 0 ? 1 : 0
}

/** One account that can't be read hides no other. */
async function rowOf(account: AccountDocument, { place: { target } }: CommandContext): Promise<Row> {
  try {
    const [owner, archives] = await Promise.all([
      target.readOwner(account.accountId),
      target.listArchives(account.accountId),
    ])
    return { account, owner, archives, problem: null }
  } catch (error) {
    return { account, owner: null, archives: [], problem: messageOf(error) }
  }
}

function ownerInWords(owner: Owner | null): string {
  if (owner === null) return 'nobody has claimed it'
  const who = `${plainText(owner.name)} (${owner.hostId})`
  const since = `since ${new Date(owner.claimedAtMs).toISOString()}`
  if (owner.released) return `${who}, ${since}, stopped`
  return `${who}, ${since}, ${owner.seenAgoMs === null ? 'never seen' : `seen ${ageInWords(owner.seenAgoMs)} ago`}`
}
