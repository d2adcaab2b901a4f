import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator, type Simulator } from '../../simulator/simulator.ts'

interface Fleet {
  simulator: Simulator
  sessionsPath: string
  service: SupervisorProcess
  ids: string[]
  start: () => Promise<SupervisorProcess>
}

async function pairedFleet(t: Test, count: number): Promise<Fleet> {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const start = async (): Promise<SupervisorProcess> => {
    const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey }
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  const service = await start()
  const ids = await pairAll(service, simulator, testPhones(count))
  await service.connected(count)
  return { simulator, sessionsPath, service, ids, start }
}

const reasons = async (service: SupervisorProcess): Promise<string[]> =>
  (await service.dashboard()).accounts.map(({ status, reason }) => `${status} ${reason}`)

t.test('a 401 for everybody at once costs two sessions their place, and nobody a pairing', async (t) => {
  const { simulator, sessionsPath, service, ids } = await pairedFleet(t, 4)
  simulator.inject({ kind: 'fail_login', reason: 401, times: 'until_cleared' })
  simulator.dropAll()
  await until(
    'all to be refused',
    async () => (await reasons(service)).every((text) => text === 'needs_qr logged_out'),
    () => service.tail(),
  )
  await until('two sessions to be set aside', () => aside().length === 2)
  const kept = ids.filter((accountId) => !aside().some((name) => name.startsWith(accountId)))
  t.equal(kept.length, 2)
  const trouble = await until('all four to be judged', async () => {
    const { trouble } = await service.dashboard()
    return trouble?.accounts === 4 && trouble
  })
  t.equal(trouble.kind, 'mass_refusal')
  t.match(trouble.message, /^WhatsApp refused the sessions of 4 accounts/)
  for (const accountId of kept) {
    const { needsPerson } = await service.account(accountId, ({ nextTryAt }) => nextTryAt !== null)
    t.equal(needsPerson, false, 'it is tried again by itself')
  }
  simulator.clearFaults()
  for (const accountId of kept) await service.api('POST', `/api/whatsapp/accounts/${accountId}/restart`)
  for (const accountId of kept) await service.account(accountId, ({ status }) => status === 'connected')
  t.equal(aside().length, 2)
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())

  function aside(): string[] {
    const path = join(sessionsPath, '.set-aside')
    return existsSync(path) ? readdirSync(path) : []
  }
})

t.test('connects that are paused stay so over a restart; what is connected stays connected', async (t) => {
  const { simulator, service, start } = await pairedFleet(t, 2)
  const paused = await service.api('POST', '/api/whatsapp/connects/pause')
  t.same(paused, { status: 200, body: { success: true, connectsPaused: true } })
  t.same(await service.api('POST', '/api/whatsapp/connects/pause'), paused, 'asked twice, it is done once')
  t.same(await reasons(service), ['connected null', 'connected null'])
  t.equal((await service.dashboard()).trouble?.kind, 'connects_paused')
  const attempts = simulator.attempts().length
  simulator.dropAll()
  await until('both to be down', async () => (await service.dashboard()).summary.disconnected === 2)
  t.same(await service.end('SIGTERM'), { code: 0, signal: null })

  const next = await start()
  await until('both workers to wait for their turn', async () =>
    (await next.dashboard()).accounts.every(({ process }) => process.state === 'running'),
  )
  t.equal((await next.dashboard()).connectsPaused, true)
  t.equal(simulator.attempts().length, attempts, 'nobody tried')
  t.match(await next.api('POST', '/api/whatsapp/connects/resume'), { status: 200, body: { connectsPaused: false } })
  await next.connected(2)
  t.equal((await next.dashboard()).trouble, null)
  t.same(await next.end('SIGTERM'), { code: 0, signal: null })
})

t.test('a restart of all goes from one account to the next, and is one however often it is asked for', async (t) => {
  const { service, simulator } = await pairedFleet(t, 3)
  const mark = simulator.mark()
  const before = (await service.dashboard()).accounts.map(({ process }) => process.generation)
  t.match(await service.api('POST', '/api/whatsapp/restart-all'), { status: 200, body: { restart: { total: 3 } } })
  t.match(await service.api('POST', '/api/whatsapp/restart-all'), { status: 200, body: { restart: { total: 3 } } })
  await service.logged('restart_all.completed')
  t.same((await service.dashboard()).restarting, null)
  await service.connected(3)
  const after = (await service.dashboard()).accounts.map(({ process }) => process.generation)
  t.same(
    after,
    before.map((generation) => generation + 1),
  )
  // At no moment were two down: each came online before the next one's connection closed.
  let down = 0
  for (const { type } of simulator.events(mark)) {
    if (type === 'connection.closed') down++
    if (type === 'device.online') down--
    t.ok(down <= 1)
  }
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
