import { join } from 'node:path'
import { hasSession } from '../../accounts/discover.ts'
import { AccountStore, type AccountRecord } from '../../accounts/store.ts'
import { LEASE_MS } from '../create-backups.ts'
import { Removals } from '../removals.ts'
import { restoreSession } from '../restore.ts'
import { recordOf } from '../restores.ts'
import type { BackupTarget } from '../target.ts'
import { lockStopped, ownHost, type CommandContext, type CommandResult } from './context.ts'
import { ageInWords } from '../words.ts'

/** Puts the newest backup that opens into the account's empty directory; the next start of the service goes on from it. */
export async function restoreAccount(context: CommandContext, accountId: string): Promise<CommandResult> {
  const { config, place, clock, log, print } = context
  const { sessionsPath } = config
  const { target } = place
  const lock = await lockStopped(config)
  try {
    if (await hasSession(sessionsPath, accountId)) {
      print(`${accountId} has a session in ${join(sessionsPath, accountId)}, which always wins over a backup.`)
      print(`See what it is:      npm run session -- check ${accountId}`)
      print(
        'If it is damaged:    start the service and POST /api/whatsapp/accounts/:accountId/recover {"from":"backup"}',
      )
      print(`Or an older one:     npm run session -- set-aside ${accountId}, then put-back`)
      print('To have the backup in any case, move that directory out of the way, and do this again.')
      return 1
    }
    const removals = new Removals(sessionsPath)
    await removals.load()
    if (removals.has(accountId)) {
      print(`${accountId} was removed here, and its backups go at the next start of the service. Nothing was done.`)
      return 1
    }
    if ((await target.listArchives(accountId)).length === 0) {
      print(`There is no backup of ${accountId}: npm run backup -- status shows of whom there are.`)
      return 1
    }
    const host = await ownHost(context)
    // Seen, and not released afterwards: the session is about to be in use here. Where another host has it, this ends here.
    const claim = async (): Promise<void> => {
      await target.writeHost(host)
      await target.claim(accountId, host, LEASE_MS)
    }
    await claim()
    // First: a session without a record would come up without its name and phone.
    await keepRecord(sessionsPath, accountId, target, clock.nowMs())
    const restored = await restoreSession(accountId, {
      target,
      openArchive: place.open,
      claim,
      sessionsPath,
      log,
    })
    if (restored.outcome !== 'placed') {
      print(`${accountId}: nothing was restored, it is ${restored.outcome}.`)
      return 1
    }
    const { rev, savedAtMs } = restored.archive
    print(`${accountId}: revision ${rev}, ${ageInWords(clock.nowMs() - savedAtMs)} old, is in place.`)
    print('Start the service: it makes the session of it, and the account connects without a QR code.')
    return 0
  } finally {
    await lock.release()
  }
}

async function keepRecord(sessionsPath: string, accountId: string, target: BackupTarget, nowMs: number): Promise<void> {
  let records: AccountRecord[] = []
  const store = new AccountStore(sessionsPath, () => records)
  records = (await store.load()).records
  const known = records.find((record) => record.accountId === accountId)
  if (known !== undefined && known.desired !== 'removed') return
  const document = (await target.readAccounts()).find((account) => account.accountId === accountId)
  const createdAt = new Date(nowMs).toISOString()
  const unnamed = { accountId, name: accountId, phone: null, desired: 'running', purge: false, createdAt } as const
  const record = known ?? (document === undefined ? unnamed : recordOf(document))
  // Whoever restores an account wants it.
  const wanted: AccountRecord = {
    ...record,
    desired: record.desired === 'removed' ? 'running' : record.desired,
    purge: false,
  }
  records = [...records.filter((other) => other !== known), wanted]
  await store.save()
}
