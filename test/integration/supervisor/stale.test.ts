import t from 'tap'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

t.test('an account that is open and silent is asked, then gets a new socket, then a new process', async (t) => {
  const [phone = ''] = testPhones(1)
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath: t.testdir(),
    env: {
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
      HEALTH_CHECK_INTERVAL_MS: '500',
      STALE_CONNECTION_THRESHOLD_MS: '2000',
    },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const [accountId = ''] = await pairAll(service, simulator, [phone])
  await service.connected(1)
  // Quiet and answered is healthy: several thresholds pass, and nothing happens.
  const { reconnectCount } = await service.account(accountId, () => true)
  const mark = simulator.mark()
  for (let answers = 0; answers < 3; answers++) {
    await simulator.waitFor((event) => event.type === 'query.received' && event.xmlns === 'w:p', {
      since: simulator.mark(),
    })
  }
  t.equal((await service.account(accountId, () => true)).reconnectCount, reconnectCount)
  t.equal(simulator.events(mark).filter(({ type }) => type === 'connection.closed').length, 0)

  const seen = service.output.length
  const { generation } = (await service.account(accountId, () => true)).process
  simulator.inject({ kind: 'ignore_pings', phone, times: 'until_cleared' })
  const stale = (): number => service.lines(seen).filter(({ reason }) => reason === 'stale').length
  await until(
    'the socket to be found silent',
    () => stale() >= 1,
    () => service.tail(),
  )
  t.equal((await service.account(accountId, () => true)).process.generation, generation, 'the first time: a new socket')
  await service.account(accountId, ({ process }) => process.generation > generation)
  simulator.clearFaults()
  await service.connected(1)
  t.equal((await service.account(accountId, () => true)).process.crashCount, 0)
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
