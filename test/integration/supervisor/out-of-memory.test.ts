import { readFile } from 'node:fs/promises'
import t from 'tap'
import { systemClock } from '../../../shared/clock.ts'
import { OOM_SCORES } from '../../../shared/oom-score.ts'
import { createApp } from '../../fixtures/in-process-app.ts'
import { leftOutWithoutMemoryLimit, MemoryLimit } from '../../fixtures/memory-limit.ts'
import { knownPid } from '../../fixtures/known-pid.ts'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess, TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** What the service may take beyond what it has with two accounts: less than a worker needs that is not bundled. */
const ROOM_MIB = 25
const AMPLE_MIB = 4000

const scoreOf = async (pid: number | null | undefined): Promise<number> =>
  Number(await readFile(`/proc/${pid}/oom_score_adj`, 'utf8'))

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
      // Two of its workers are stopped for as long as an account needs to begin.
      entry: new URL('./fixtures/patient-supervisor.js', import.meta.url),
      env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, WORKER_BUNDLE: 'off' },
    })
    t.teardown(() => service.end('SIGKILL'))
    memory.add(service.pid)
    await service.listening()
    const [first = '', second = '', third = '', fourth = ''] = testPhones(4)
    const ids = await pairAll(service, simulator, [first, second])
    const settled = await service.connected(2)
    const pids = settled.map(({ process }) => process?.pid)
    for (const pid of pids) t.ok((await scoreOf(pid)) <= OOM_SCORES.connected, 'it has logged in')
    // A minute after its login an account is one that stays.
    await until('both to be settled', async () => {
      const scores = await Promise.all(pids.map(scoreOf))
      return scores.every((score) => score === OOM_SCORES.settled)
    })

    // A process that has been killed gives its memory back a moment later than the kernel looks for it: whoever asked for
    // some in that moment would be next. These two ask for nothing.
    for (const pid of pids) process.kill(knownPid(pid), 'SIGSTOP')
    const { anonymousMib, kernelMib } = memory.read()
    memory.set(anonymousMib + kernelMib + ROOM_MIB)
    const added = service.add(third)
    const { accountId } = (await service.logged('memory.short')) as { accountId: string }
    t.notOk(ids.includes(accountId))
    t.ok(memory.read().kills > 0)
    t.match(await service.logged('child.exited', accountId), { signal: 'SIGKILL', cause: 'out of memory' })
    const killed = await service.account(accountId, ({ reason }) => reason === 'out_of_memory')
    t.match(killed, { status: 'disconnected', todo: { action: 'free_memory' }, needsPerson: false })
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
    for (const pid of pids) process.kill(knownPid(pid), 'SIGCONT')
    t.equal((await added).accountId, accountId)
    const offered = await service.account(accountId, ({ qrCode }) => qrCode !== null && qrCode !== undefined)
    t.equal(await scoreOf(offered.process?.pid), OOM_SCORES.unproven, 'it has never been connected')
    t.match(await service.end('SIGTERM'), { code: 0 })
  },
)

t.test('memory of an account that is paused goes at once to one that waits for some', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const app = createApp({ sessionsPath: t.testdir(), simulator })
  t.teardown(() => app.stop())
  const { url } = await app.start()
  const [first, second] = ['Has memory', 'Has none'].map((name, index) => ({ name, phone: `+${testPhones(2)[index]}` }))
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const post = async (path: string, body: unknown = {}): Promise<{ account: { accountId: string } }> => {
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path} answered ${response.status}`)
    return (await response.json()) as { account: { accountId: string } }
  }
  const {
    account: { accountId: paused },
  } = await post('/api/whatsapp/add-account', first)
  const {
    account: { accountId: waiting },
  } = await post('/api/whatsapp/add-account', second)
  await post(`/api/whatsapp/accounts/${waiting}/pause`)
  // As it stands after many kills. Nothing but the end of the other one brings its turn forward.
  const account = app.registry.get(waiting)
  if (account === undefined) throw new Error('no account')
  const untilMs = systemClock.monotonicMs() + 600_000
  const state = { name: 'backing_off', reason: 'out_of_memory', untilMs } as const
  app.registry.put({
    ...account,
    record: { ...account.record, desired: 'running' },
    child: { ...account.child, failures: 12, state },
  })
  await post(`/api/whatsapp/accounts/${paused}/pause`)
  const { child } = await until('it to run', () => {
    const found = app.registry.get(waiting)
    return found?.child.state.name === 'running' && found
  })
  t.equal(child.failures, 12, 'it has not found memory yet')
})
