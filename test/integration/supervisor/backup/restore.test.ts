import { readdirSync, rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BackedUpApp } from '../../../fixtures/backed-up-app.ts'
import { accountNamed, archiveOf } from '../../../fixtures/firestore.ts'
import { createApp } from '../../../fixtures/in-process-app.ts'
import { MemoryTarget } from '../../../fixtures/memory-target.ts'
import { testPhones } from '../../../fixtures/paired-fleet.ts'
import { TOKEN } from '../../../fixtures/supervisor-process.ts'
import { until } from '../../../fixtures/until.ts'
import { startSimulator } from '../../../simulator/simulator.ts'

const statusOf = ({ app }: BackedUpApp, accountId: string): string => {
  const account = app.registry.get(accountId)
  if (account === undefined) return 'unknown'
  const { status, reason } = app.registry.statusOf(account)
  return `${status} ${reason}`
}

t.test('an account of a living host is not taken from it; when it lets go, another one goes on with it', async (t) => {
  const root = t.testdir({ first: {}, second: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath: join(root, 'first'), simulator }).start(t)
  const [accountId = ''] = await first.pair(1)
  await first.saved(accountId)
  const target = new MemoryTarget(first.target.store)
  const mark = simulator.mark()
  const second = await new BackedUpApp({
    sessionsPath: join(root, 'second'),
    simulator,
    target,
    hostName: 'two',
  }).start(t)
  await until(
    'it to wait',
    () => statusOf(second, accountId) === 'disconnected restore_waiting',
    () => statusOf(second, accountId),
  )
  t.match(second.app.registry.get(accountId)?.fault?.message, /host "one"/)
  t.equal(statusOf(first, accountId), 'connected null', 'the first notices nothing')
  t.same(await first.app.stop(), [])
  await second.connected(accountId)
  t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0, 'nobody was asked to scan')
  const { accounts } = (await second.api('GET', '/api/status/dashboard')) as {
    accounts: { notice: { code: string; message: string } | null }[]
  }
  t.match(accounts, [
    { notice: { code: 'session_restored', message: /from a backup that was \d+ s old \(saved at 20\d\d-/ } },
  ])
  // And it goes on being backed up, by its new host.
  const [phone = ''] = testPhones(1)
  const { id } = await simulator.sendText({ to: phone, from: '49151000002', text: 'and now?' })
  await until('the message to be received', () => simulator.receiptsOf(id).length > 0)
  t.equal((await second.saved(accountId)).error, null)
  t.same(await second.app.stop(), [])
})

t.test('of five accounts one is whole, and the others are not there, damaged, or have damaged backups', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath, simulator }).start(t)
  const ids = await first.pair(5)
  const [kept = '', lost = '', one = '', both = '', cut = ''] = ids
  for (const id of ids) await first.saved(id)
  for (const to of testPhones(5)) {
    const { id } = await simulator.sendText({ to, from: '49151000001', text: 'so that there are two revisions' })
    await until('its receipt', () => simulator.receiptsOf(id).length > 0)
  }
  for (const id of ids) await first.saved(id)
  await first.app.stop()

  const target = new MemoryTarget(first.target.store)
  const archives = (accountId: string): Buffer[] =>
    (target.store.archives.get(accountId) ?? []).map(({ sealed }) => sealed)
  t.equal(archives(one).length, 2)
  archives(one)[0]?.fill(0)
  for (const sealed of archives(both)) sealed.fill(0)
  for (const id of [lost, one, both]) rmSync(join(sessionsPath, id), { recursive: true })
  const log = join(sessionsPath, cut, 'session.log')
  truncateSync(log, Math.floor(statSync(log).size / 2))
  target.fault = 'unreachable'
  const mark = simulator.mark()
  const second = await new BackedUpApp({ sessionsPath, simulator, target }).start(t)
  const says = (accountId: string, wanted: string): Promise<unknown> =>
    until(
      `${accountId} to say ${wanted}`,
      () => statusOf(second, accountId) === wanted,
      () => statusOf(second, accountId),
    )

  await t.test('while the target is away, the one that is there goes on, and the others wait', async (t) => {
    await second.connected(kept)
    for (const id of [lost, one, both]) await says(id, 'disconnected restore_waiting')
    // Neither a restart nor the same phone added again makes a new session in the backup's place.
    await second.api('POST', `/api/whatsapp/accounts/${lost}/restart`)
    const { phone } = second.app.registry.get(lost)?.record ?? { phone: null }
    const added = await second.api('POST', '/api/whatsapp/add-account', { name: 'again', phone })
    t.match(added, { account: { accountId: lost, reason: 'restore_waiting', qrCode: null } })
    t.notOk(readdirSync(sessionsPath).includes(lost) && readdirSync(join(sessionsPath, lost)).includes('session.log'))
  })

  await t.test(
    'when it is back, the newest backup that opens is taken, and the session on the disk stays',
    async (t) => {
      target.fault = null
      await says(both, 'disconnected restore_failed')
      const linesOf = (event: string): ReturnType<typeof second.lines> =>
        second.lines().filter((line) => line.event === event)
      await until('two to be restored', () => linesOf('session.restored').length === 2)
      // The one that is hopeless is looked at again some twenty seconds later.
      t.equal(linesOf('backup.unusable').length, 3, 'each is looked at once')
      for (const id of [lost, one]) await second.connected(id)
      const restored = linesOf('session.restored')
      t.same(restored.map(({ accountId }) => accountId).sort(), [lost, one].sort(), 'the whole one was not touched')
      t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0)
    },
  )

  await t.test('where none opens it is named; the way out is a new pairing, at the word of the operator', async (t) => {
    await says(both, 'disconnected restore_failed')
    t.match(second.app.registry.get(both)?.fault?.message, /is not what was sealed/)
    await second.api('POST', `/api/whatsapp/accounts/${both}/pair`)
    await says(both, 'needs_qr pairing')
  })

  await t.test('a damaged session gives way to its backup at the word of the operator alone', async (t) => {
    await says(cut, 'disconnected session_damaged')
    const answer = await second.api('POST', `/api/whatsapp/accounts/${cut}/recover`, { from: 'backup' })
    t.match(answer, { success: true, recovery: { from: 'backup' } })
    await second.connected(cut)
    t.match(readdirSync(join(sessionsPath, '.set-aside')).join(), /-damaged/)
    // It goes on being saved at once: the restore's claim and the backups' are one host's.
    t.equal((await second.saved(cut)).error, null)
    t.same(
      second.lines().filter(({ event }) => event === 'backup.owned_elsewhere'),
      [],
    )
  })
  t.same(await second.app.stop(), [])
})

t.test('what was removed while no backups were configured does not come back when they are', async (t) => {
  const createdAt = new Date().toISOString()
  const account = { accountId: 'account_a', name: 'Sold', phone: null, desired: 'paused', purge: false, createdAt }
  const sessionsPath = t.testdir({ 'accounts.json': JSON.stringify({ version: 1, accounts: [account] }) })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const without = createApp({ sessionsPath, simulator })
  t.teardown(() => without.stop())
  const { url } = await without.start()
  const headers = { authorization: `Bearer ${TOKEN}` }
  t.equal((await fetch(`${url}/api/whatsapp/accounts/account_a`, { method: 'DELETE', headers })).status, 200)
  await without.stop()

  const target = new MemoryTarget()
  const kept = { ...archiveOf(1), savedAtMs: Date.now() - 60_000 }
  for (const accountId of ['account_a', 'account_b']) {
    target.store.accounts.set(accountId, { ...accountNamed(accountId), desired: 'paused' })
    target.store.archives.set(accountId, [kept])
  }
  const configured = await new BackedUpApp({ sessionsPath, simulator, target }).start(t)
  await until('its backups to be gone', () => !target.store.accounts.has('account_a'))
  t.notOk(target.store.archives.has('account_a'))
  t.equal(configured.app.registry.get('account_a'), undefined)
  t.ok(configured.app.registry.get('account_b'), 'the other one came back')
  t.ok(target.store.archives.has('account_b'))
  await until('the note to be gone', () => !readdirSync(sessionsPath).includes('backup-removals.json'))
  t.same(await configured.app.stop(), [])
})
