import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { knownPid } from '../../fixtures/known-pid.ts'
import { pair, pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { isAlive, SupervisorProcess, type AccountView } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/**
 * The life of one fleet of 30, told in order: paired, restarted, struck, stopped. One fleet for all of it, because 30
 * pairings are most of the time that this takes.
 */
const COUNT = 30
/** Thirty starts of a worker, on a slow machine with other work. */
const FLEET_MS = 600_000

await t.test('a fleet of 30', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    // Thirty flushes, on a slow machine with other work.
    SHUTDOWN_TIMEOUT_MS: '60000',
  }
  const start = async (): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  const phones = testPhones(COUNT)
  let service = await start()
  let accountIds: string[] = []

  await t.test('pairs and connects 30 accounts that are added at once', async (t) => {
    accountIds = await pairAll(service, simulator, phones)
    const accounts = await service.connected(COUNT, FLEET_MS)
    t.equal(new Set(accounts.map(({ process }) => process.pid)).size, COUNT, 'a process each')
    t.equal(new Set(accountIds).size, COUNT)
    t.equal(simulator.phones().length, COUNT)
  })

  await t.test('stops on SIGTERM with every session whole, and exits 0', async (t) => {
    const pids = pidsOf(await service.connected(COUNT, FLEET_MS))
    t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
    t.notOk(pids.some(isAlive), 'no worker is left')
    for (const accountId of accountIds) {
      const creds = JSON.parse(readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8')) as {
        me?: { id?: string }
      }
      t.match(creds.me?.id, /@s\.whatsapp\.net$/, `${accountId} has its creds`)
    }
  })

  await t.test('brings all 30 back after a restart without a QR code', async (t) => {
    const mark = simulator.mark()
    service = await start()
    await service.connected(COUNT, FLEET_MS)
    const boot = await service.logged('boot.completed')
    // Where the machine is slow, a first login may take too long: its account is told of as it stands then.
    const late = new Set(
      service.lines().flatMap((line) => (line.event === 'connection.disconnected' ? [line['accountId']] : [])),
    )
    const told = String(boot['msg'])
    const [, connected, of] = /^Boot sequence complete: (\d+)\/(\d+) accounts connected$/.exec(told) ?? []
    t.equal(Number(of), COUNT)
    t.ok(Number(connected) >= COUNT - late.size, `${told}, ${late.size} late`)
    const offered = simulator.events(mark).filter(({ type }) => type === 'qr.offered')
    t.equal(offered.length, 0, 'no QR code was offered')
  })

  await t.test('restarts one killed worker and leaves the other 29 alone', async (t) => {
    const before = await service.connected(COUNT, FLEET_MS)
    const socketsBefore = socketsByPhone(simulator.connections())
    const victim = before[7]
    if (victim?.process.pid == null) throw new Error('no victim')
    process.kill(victim.process.pid, 'SIGKILL')
    await service.account(victim.accountId, ({ process, status }) => status === 'connected' && process.generation === 2)
    const after = await service.connected(COUNT, FLEET_MS)
    const changed = after.filter(({ process }, index) => process.pid !== before[index]?.process.pid)
    t.same(
      changed.map(({ accountId }) => accountId),
      [victim.accountId],
      'only its process is another',
    )
    const socketsAfter = socketsByPhone(simulator.connections())
    const moved = [...socketsAfter].filter(([phone, id]) => socketsBefore.get(phone) !== id)
    t.equal(moved.length, 1, 'only its socket is another')
    t.equal(after[7]?.process.crashCount, 1)
  })

  await t.test('shows a message that a contact sent', async (t) => {
    const [accountId = '', phone = ''] = [accountIds[3], phones[3]]
    const before = await service.account(accountId, () => true)
    const { id } = await simulator.sendText({ to: phone, from: '49151000001', text: 'good morning' })
    const after = await service.account(accountId, ({ lastMessageAt }) => lastMessageAt !== before.lastMessageAt)
    t.ok(after.lastMessageAt)
    await until('the receipt', () => simulator.receiptsOf(id).length > 0)
  })

  await t.test('links one account again while the others stay connected', async (t) => {
    const before = await service.connected(COUNT, FLEET_MS)
    const [accountId = '', phone = ''] = [accountIds[11], phones[11]]
    await simulator.unlink(phone)
    const unlinked = await service.account(accountId, ({ status }) => status === 'needs_qr')
    t.equal(unlinked.reason, 'logged_out')
    t.equal(await pair(service, simulator, phone), accountId, 'the same phone is the same account')
    const after = await service.connected(COUNT, FLEET_MS)
    const others = (accounts: AccountView[]): unknown =>
      accounts
        .filter((account) => account.accountId !== accountId)
        .map(({ process, reconnectCount }) => [process.pid, reconnectCount])
    t.same(others(after), others(before), 'the same processes and sockets')
  })

  await t.test('leaves no orphan when the supervisor is killed, and starts cleanly after it', async (t) => {
    const pids = pidsOf(await service.connected(COUNT, FLEET_MS))
    await service.end('SIGKILL')
    service = await start()
    await service.connected(COUNT, FLEET_MS)
    await until(
      'the old workers to be gone',
      () => !pids.some(isAlive),
      () => String(pids.filter(isAlive)),
      // A worker without its supervisor has eight seconds to leave.
      10_000,
    )
    t.equal(simulator.connections().filter(({ state }) => state === 'online').length, COUNT, 'one socket each')
  })

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})

function pidsOf(accounts: AccountView[]): number[] {
  return accounts.map(({ process }) => knownPid(process.pid))
}

function socketsByPhone(connections: { id: number; phone?: string }[]): Map<string, number> {
  return new Map(connections.flatMap(({ id, phone }) => (phone === undefined ? [] : [[phone, id]])))
}
