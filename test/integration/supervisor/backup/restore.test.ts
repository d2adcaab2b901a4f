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

const WAIT_MS = 60_000

const statusOf = ({ app }: BackedUpApp, accountId: string): string => {
  const account = app.registry.get(accountId)
  if (account === undefined) return 'unknown'
  const { status, reason } = app.registry.statusOf(account)
  return `${status} ${reason}`
}

t.test('the machine is lost: on another one all accounts are back without a QR code', async (t) => {
  const root = t.testdir({ first: {}, second: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath: join(root, 'first'), simulator }).start(t)
  const ids = await first.pair(2)
  for (const id of ids) await first.saved(id)
  await first.app.stop()
  rmSync(join(root, 'first'), { recursive: true })

  // Messages that come while nobody is there arrive on the new machine.
  const [phone = ''] = testPhones(1)
  const sent = await simulator.sendText({ to: phone, from: '49151000001', text: 'are you there?' })
  const mark = simulator.mark()
  const target = new MemoryTarget(first.target.store)
  const second = await new BackedUpApp({
    sessionsPath: join(root, 'second'),
    simulator,
    target,
    hostName: 'two',
  }).start(t)
  for (const id of ids) await second.connected(id)
  t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0, 'nobody was asked to scan')
  await until('the message to be received', () => simulator.receiptsOf(sent.id).length > 0, WAIT_MS)
  const { accounts } = (await second.api('GET', '/api/status/dashboard')) as {
    accounts: { phone: string; notice: { code: string; message: string } | null }[]
  }
  t.same(
    accounts.map(({ notice }) => notice?.code),
    ['session_restored', 'session_restored'],
  )
  t.match(accounts[0]?.notice?.message, /saved at 20\d\d-/)
  // And it goes on being backed up, by its new host.
  const later = await simulator.sendText({ to: phone, from: '49151000002', text: 'and now?' })
  await until('that one as well', () => simulator.receiptsOf(later.id).length > 0, WAIT_MS)
  for (const id of ids) t.equal((await second.saved(id)).error, null)
  t.same(await second.app.stop(), [])
})

t.test('a session on the disk wins; one that is missing waits for a target that is away', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath, simulator }).start(t)
  const [kept = '', lost = ''] = await first.pair(2)
  for (const id of [kept, lost]) await first.saved(id)
  await first.app.stop()
  rmSync(join(sessionsPath, lost), { recursive: true })

  const target = new MemoryTarget(first.target.store)
  target.fault = 'unreachable'
  const second = await new BackedUpApp({ sessionsPath, simulator, target }).start(t)
  await second.connected(kept)
  await until(
    'the other to say that it waits',
    () => statusOf(second, lost) === 'disconnected restore_waiting',
    WAIT_MS,
  )
  // Neither a restart nor the same phone added again makes a new session in the backup's place.
  await second.api('POST', `/api/whatsapp/accounts/${lost}/restart`)
  const { phone } = second.app.registry.get(lost)?.record ?? { phone: null }
  const added = await second.api('POST', '/api/whatsapp/add-account', { name: 'again', phone })
  t.match(added, { account: { accountId: lost, reason: 'restore_waiting', qrCode: null } })
  t.notOk(readdirSync(sessionsPath).includes(lost) && readdirSync(join(sessionsPath, lost)).includes('session.log'))
  target.fault = null
  await second.connected(lost)
  t.equal(second.lines().filter(({ event }) => event === 'session.restored').length, 1, 'the other was not touched')
  t.same(await second.app.stop(), [])
})

t.test('an account that another living host has is not taken from it; a new pairing is the way out', async (t) => {
  const root = t.testdir({ first: {}, second: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath: join(root, 'first'), simulator }).start(t)
  const [accountId = ''] = await first.pair(1)
  await first.saved(accountId)
  const second = await new BackedUpApp({
    sessionsPath: join(root, 'second'),
    simulator,
    target: new MemoryTarget(first.target.store),
    hostName: 'two',
  }).start(t)
  await until(
    'it to wait',
    () => statusOf(second, accountId) === 'disconnected restore_waiting',
    WAIT_MS,
    () => statusOf(second, accountId),
  )
  t.match(second.app.registry.get(accountId)?.fault?.message, /host "one"/)
  t.equal(statusOf(first, accountId), 'connected null', 'the first notices nothing')
  // Its host lets go of it: the other one takes over by itself.
  t.same(await first.app.stop(), [])
  await second.connected(accountId)
  t.same(await second.app.stop(), [])
})

t.test('a backup that can not be used is named, and nothing is changed; the one before it is taken', async (t) => {
  const root = t.testdir({ first: {}, second: {} })
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath: join(root, 'first'), simulator }).start(t)
  const [one = '', both = ''] = await first.pair(2)
  for (const id of [one, both]) await first.saved(id)
  for (const phone of testPhones(2)) {
    const { id } = await simulator.sendText({ to: phone, from: '49151000001', text: 'so that there are two revisions' })
    await until('its receipt', () => simulator.receiptsOf(id).length > 0, WAIT_MS)
  }
  for (const id of [one, both]) await first.saved(id)
  await first.app.stop()
  const target = new MemoryTarget(first.target.store)
  const archives = (accountId: string): Buffer[] =>
    (target.store.archives.get(accountId) ?? []).map(({ sealed }) => sealed)
  t.equal(archives(one).length, 2)
  archives(one)[0]?.fill(0)
  for (const sealed of archives(both)) sealed.fill(0)

  const second = await new BackedUpApp({
    sessionsPath: join(root, 'second'),
    simulator,
    target,
    hostName: 'two',
  }).start(t)
  await second.connected(one)
  await until(
    'the other to say so',
    () => statusOf(second, both) === 'disconnected restore_failed',
    WAIT_MS,
    () => statusOf(second, both),
  )
  t.match(second.app.registry.get(both)?.fault?.message, /is not what was sealed/)
  t.equal(second.lines().filter(({ event }) => event === 'backup.unusable').length >= 3, true)
  // The way out: a new pairing, at the operator's word.
  await second.api('POST', `/api/whatsapp/accounts/${both}/pair`)
  await until(
    'a QR code',
    () => statusOf(second, both) === 'needs_qr pairing',
    WAIT_MS,
    () => statusOf(second, both),
  )
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
  await until('its backups to be gone', () => !target.store.accounts.has('account_a'), WAIT_MS)
  t.notOk(target.store.archives.has('account_a'))
  t.equal(configured.app.registry.get('account_a'), undefined)
  t.ok(configured.app.registry.get('account_b'), 'the other one came back')
  t.ok(target.store.archives.has('account_b'))
  await until('the note to be gone', () => !readdirSync(sessionsPath).includes('backup-removals.json'), WAIT_MS)
  t.same(await configured.app.stop(), [])
})

t.test('a damaged session gives way to its backup at the word of the operator', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const first = await new BackedUpApp({ sessionsPath, simulator }).start(t)
  const [accountId = ''] = await first.pair(1)
  await first.saved(accountId)
  await first.app.stop()
  const log = join(sessionsPath, accountId, 'session.log')
  truncateSync(log, Math.floor(statSync(log).size / 2))

  const second = await new BackedUpApp({ sessionsPath, simulator, target: new MemoryTarget(first.target.store) }).start(
    t,
  )
  const shown = (): string => statusOf(second, accountId)
  await until('the damage to be seen', () => shown() === 'disconnected session_damaged', WAIT_MS, shown)
  const answer = await second.api('POST', `/api/whatsapp/accounts/${accountId}/recover`, { from: 'backup' })
  t.match(answer, { success: true, recovery: { from: 'backup' } })
  await second.connected(accountId)
  t.match(readdirSync(join(sessionsPath, '.set-aside')).join(), /-damaged/)
  t.same(await second.app.stop(), [])
})
