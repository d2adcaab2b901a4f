import { readFile } from 'node:fs/promises'
import t from 'tap'
import { leftOutWithoutMemoryLimit, MemoryLimit } from '../../fixtures/memory-limit.ts'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** What the service may take beyond what it has with two accounts: less than a worker needs that is not bundled. */
const ROOM_MIB = 25
const AMPLE_MIB = 4000

t.test(
  'where memory runs out, the account that was added last has none',
  { skip: await leftOutWithoutMemoryLimit() },
  async (t) => {
    const memory = new MemoryLimit(AMPLE_MIB)
    t.teardown(() => memory.remove())
    const simulator = await startSimulator()
    t.teardown(() => simulator.close())
    const service = new SupervisorProcess({
      sessionsPath: t.testdir(),
      env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, WORKER_BUNDLE: 'off' },
    })
    t.teardown(() => service.end('SIGKILL'))
    memory.add(service.pid)
    await service.listening()
    const [first = '', second = '', third = '', fourth = ''] = testPhones(4)
    const ids = await pairAll(service, simulator, [first, second])
    const settled = await service.connected(2)
    const pids = settled.map(({ process }) => process?.pid)
    // A minute after its login an account is one that stays.
    await until('both to be settled', async () => {
      const scores = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/oom_score_adj`, 'utf8')))
      return scores.every((score) => score.trim() === '500')
    })

    const { anonymousMib, kernelMib } = memory.read()
    memory.set(anonymousMib + kernelMib + ROOM_MIB)
    const { accountId } = await service.add(third)
    const killed = await service.account(accountId, ({ reason }) => reason === 'out_of_memory')
    t.match(killed, { status: 'disconnected', todo: { action: 'free_memory' }, needsPerson: false })
    t.ok(memory.read().kills > 0)
    t.match(await service.logged('child.exited', accountId), { signal: 'SIGKILL', cause: 'out of memory' })
    await service.logged('memory.short')
    const { accounts, trouble } = await service.dashboard()
    t.match(trouble, { kind: 'out_of_memory', accounts: 1 })
    t.match(
      accounts
        .filter((account) => ids.includes(account.accountId))
        .map(({ status, process }) => [status, process?.pid]),
      pids.map((pid) => ['connected', pid]),
      'the two that were there have the processes that they had',
    )
    const refused = await service.api('POST', '/api/whatsapp/add-account', { name: 'One more', phone: `+${fourth}` })
    t.match(refused, { status: 503, body: { error: { code: 'out_of_memory', message: /out of memory/ } } })

    memory.set(AMPLE_MIB)
    await service.account(accountId, ({ qrCode }) => qrCode !== null && qrCode !== undefined)
    t.match(await service.end('SIGTERM'), { code: 0 })
  },
)
