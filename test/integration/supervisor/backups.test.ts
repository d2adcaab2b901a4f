import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { BackedUpApp, openArchive } from '../../fixtures/backed-up-app.ts'
import { MemoryTarget } from '../../fixtures/memory-target.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator, type Simulator } from '../../simulator/simulator.ts'

const CONTACT = '40733333333'

const simulated = async (t: { teardown: (end: () => Promise<void>) => void }): Promise<Simulator> => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  return simulator
}
const [PHONE = ''] = testPhones(1)

await t.test('from pairing to messages, an outage, kills, and a stop', async (t) => {
  const simulator = await simulated(t)
  const sessionsPath = t.testdir()
  const service = await new BackedUpApp({ sessionsPath, simulator }).start(t)
  const { target } = service
  const [accountId = ''] = await service.pair(1)
  const send = (text: string): Promise<unknown> => simulator.sendText({ to: PHONE, from: CONTACT, text })
  const received = (): number => service.app.registry.get(accountId)?.received?.sequence ?? 0

  await t.test('a paired account is saved, whole; its document beside it', async (t) => {
    const { revision, bytes, error } = await service.saved(accountId)
    t.ok((revision ?? 0) >= 1)
    t.ok((bytes ?? 0) > 1000)
    t.equal(error, null)
    t.match((await openArchive(t, target, accountId)).me, new RegExp(`^${PHONE}`))
    await until('the document', () => target.store.accounts.get(accountId)?.status === 'connected')
    t.match(target.store.accounts.get(accountId), { phone: `+${PHONE}`, desired: 'running' })
    // What a login changes goes on coming for a while.
    await until('nothing to be unsaved', async () => (await service.health()).oldestUnsavedMs === null)
    t.match(await service.health(), { code: 200, firestore: 'ok' })
    t.equal(target.store.hosts.size, 1)
  })

  await t.test('messages make it unsaved, and soon it is saved again', async (t) => {
    const before = (await service.saved(accountId)).revision ?? 0
    await send('a message')
    await until('the message', () => received() === 1)
    await until('a newer backup', async () => ((await service.saved(accountId)).revision ?? 0) > before)
    t.ok((target.store.archives.get(accountId)?.length ?? 0) <= 2)
  })

  await t.test('a reply that is lost: the next one is newer, and nothing is written twice at once', async (t) => {
    const before = (await service.saved(accountId)).revision ?? 0
    target.loseReplies = 1
    await send('another')
    await until('two revisions', async () => ((await service.saved(accountId)).revision ?? 0) > before + 1)
    t.strictSame(target.doubled, [])
    t.equal(target.store.archives.get(accountId)?.length, 2)
  })

  await t.test('the target away: health says so, nothing piles up, and then all is saved', async (t) => {
    const before = (await service.saved(accountId)).revision ?? 0
    target.fault = 'unreachable'
    for (let number = 0; number < 5; number++) await send(`message ${number}`)
    const saysSo = async (): Promise<boolean> => {
      const { code, firestore, oldestUnsavedMs } = await service.health()
      t.equal(code, 200)
      return firestore === 'degraded' && oldestUnsavedMs !== null && oldestUnsavedMs > 0
    }
    await until('health to say so, and since when', saysSo)
    await until('the account to say so', async () => (await service.shown(accountId))?.error !== null)
    t.match(await service.shown(accountId), { pending: true, error: /unreachable/ })
    t.strictSame(service.app.backups?.load, { accounts: 1, heldBytes: 0 }, 'one entry, however many messages')
    target.fault = null
    const { revision } = await service.saved(accountId)
    t.ok((revision ?? 0) > before)
    await until('health to be well', async () => (await service.health()).firestore === 'ok')
  })

  await t.test('a worker killed while it is asked for its session: its successor gives it', async (t) => {
    const before = (await service.saved(accountId)).revision ?? 0
    const pid = service.app.registry.get(accountId)?.process?.pid ?? 0
    process.kill(pid, 'SIGSTOP')
    service.app.backups?.changed(accountId, { creds: true, paired: true })
    process.kill(pid, 'SIGKILL')
    await until('another process', () => (service.app.registry.get(accountId)?.process?.pid ?? pid) !== pid)
    await service.connected(accountId)
    await until('a newer backup', async () => ((await service.saved(accountId)).revision ?? 0) > before)
    t.match((await openArchive(t, target, accountId)).me, new RegExp(`^${PHONE}`))
  })

  await t.test('paused: what its worker had at last is saved', async (t) => {
    await service.saved(accountId)
    const last = received()
    await send('before the pause')
    await until('the message', () => received() > last)
    await service.api('POST', `/api/whatsapp/accounts/${accountId}/pause`)
    await until('its worker to end', () => service.app.registry.get(accountId)?.process === null)
    await service.saved(accountId)
    await until('the document', () => target.store.accounts.get(accountId)?.desired === 'paused')
    t.equal(service.app.backups?.load.heldBytes, 0)
    await service.api('POST', `/api/whatsapp/accounts/${accountId}/resume`)
    await service.connected(accountId)
  })

  await t.test('removed while the target is away: deleted when it is back', async (t) => {
    await service.saved(accountId)
    target.fault = 'unreachable'
    await service.api('DELETE', `/api/whatsapp/accounts/${accountId}`)
    t.match(readFileSync(join(sessionsPath, 'backup-removals.json'), 'utf8'), accountId)
    t.ok(target.store.archives.has(accountId))
    target.fault = null
    await until('nothing to be left', () => !target.store.archives.has(accountId))
    await until('its document to be gone', () => !target.store.accounts.has(accountId))
    await until('the entry to be gone', () => service.app.backups?.load.accounts === 0)
  })
  t.strictSame(await service.app.stop(), [])
  t.ok(target.closed)
  t.match([...target.store.hosts.values()], [{ released: true }])
})

await t.test(
  'a stop saves everything; with a target that is away it takes no longer, and says whom it missed',
  async (t) => {
    const simulator = await simulated(t)
    const sessionsPath = t.testdir()
    const slow = { debounceMs: 600_000, intervalMs: 600_000, env: { SHUTDOWN_TIMEOUT_MS: '20000' } }
    const service = await new BackedUpApp({ sessionsPath, simulator, ...slow }).start(t)
    const { target } = service
    const ids = await service.pair(2)
    const late = async ({ app }: BackedUpApp): Promise<void> => {
      const before = ids.map((id) => app.registry.get(id)?.received?.sequence ?? 0)
      for (const phone of testPhones(2)) await simulator.sendText({ to: phone, from: CONTACT, text: 'late' })
      for (const [at, id] of ids.entries()) {
        const isThere = (): boolean => (app.registry.get(id)?.received?.sequence ?? 0) > (before[at] ?? 0)
        await until('the message', isThere)
      }
    }
    const missed = ({ lines }: BackedUpApp) => lines().filter(({ event }) => event === 'backup.not_saved')
    await late(service)
    target.delayMs = 50
    t.strictSame(await service.app.stop(), [], 'all flushed')
    t.strictSame(missed(service), [])
    for (const id of ids) {
      const { revision, sessionRevision } = await openArchive(t, target, id)
      t.equal(revision, sessionRevision)
    }

    const next = new BackedUpApp({ sessionsPath, simulator, target: new MemoryTarget(target.store), ...slow })
    await next.start(t)
    for (const id of ids) await next.connected(id)
    next.target.delayMs = 600_000
    await late(next)
    t.strictSame(await next.app.stop(), [], 'all flushed')
    const [line] = missed(next)
    t.strictSame([...((line?.['accounts'] ?? []) as string[])].sort(), [...ids].sort())
  },
)
