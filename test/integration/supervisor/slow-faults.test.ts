import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import type { Fault } from '../../simulator/faults.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/**
 * Ends that nobody announces: they are found by a deadline, of Baileys or of ours, some only after a minute. One account
 * each, all at once, so that the whole takes as long as the slowest.
 */
interface Row {
  name: string
  fault: (phone: string) => Fault
  atLogin?: true
  /** The first of these that it says: which deadline comes first depends on what the other accounts do meanwhile. */
  reasons: string[]
}

const ROWS: Row[] = [
  { name: 'a peer that is gone', fault: (phone) => ({ kind: 'freeze', phone }), reasons: ['connection_lost'] },
  { name: 'a silent server', fault: (phone) => ({ kind: 'silence', phone }), reasons: ['connection_lost'] },
  {
    name: 'pings without an answer',
    fault: (phone) => ({ kind: 'ignore_pings', phone, times: 'until_cleared' }),
    reasons: ['connection_lost'],
  },
  {
    name: 'a login without an answer',
    fault: (phone) => ({ kind: 'no_success', phone }),
    atLogin: true,
    reasons: ['connection_lost', 'connect_timeout'],
  },
  {
    name: 'a login that stalls while pings are answered',
    fault: (phone) => ({ kind: 'stall_login', phone }),
    atLogin: true,
    reasons: ['connect_timeout'],
  },
]

t.test('ends that nobody announces', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath,
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const phones = testPhones(ROWS.length + 1)
  const ids = await pairAll(service, simulator, phones)
  await service.connected(ids.length)
  const seen = service.output.length

  const outcomes = ROWS.map(async ({ fault, atLogin, reasons }, index) => {
    const [phone = '', accountId = ''] = [phones[index], ids[index]]
    simulator.inject(fault(phone))
    if (atLogin) simulator.dropAll(phone)
    const line = await until(
      `${accountId} to say ${reasons.join(' or ')}`,
      () =>
        service.lines(seen).find((line) => line['accountId'] === accountId && reasons.includes(String(line['reason']))),
      () => service.tail(),
    )
    return line['status']
  })
  t.same(
    await Promise.all(outcomes),
    ROWS.map(() => 'disconnected'),
  )
  simulator.clearFaults()
  const rows = await service.connected(ids.length)
  t.equal(
    rows.find(({ accountId }) => accountId === ids.at(-1))?.reconnectCount,
    0,
    'the account without a fault noticed nothing',
  )
  t.notOk(existsSync(join(sessionsPath, '.set-aside')))
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})

t.test('connects that come to nothing before the login', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath: t.testdir(),
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  await pairAll(service, simulator, testPhones(2))
  await service.connected(2)
  // One account meets the one, the other the other: nobody knows yet who it is that connects.
  simulator.inject({ kind: 'never_upgrade' })
  simulator.inject({ kind: 'no_server_hello' })
  const seen = service.output.length
  simulator.dropAll()
  await until(
    'both to be lost',
    () => service.lines(seen).filter(({ reason }) => reason === 'connection_lost').length >= 2,
    () => service.tail(),
  )
  t.same(simulator.faults(), [])
  await service.connected(2)
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
