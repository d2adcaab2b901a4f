import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createApp, pairInProcess } from '../../fixtures/in-process-app.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

t.test('a session that WhatsApp keeps refusing is set aside, and the phone can link again', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const app = createApp({
    sessionsPath,
    simulator,
    env: { MAX_RECONNECT_ATTEMPTS: '3' },
    tuning: { refusalPeriodMs: 0 },
  })
  t.teardown(() => app.stop())
  const { url } = await app.start()
  const [phone = ''] = testPhones(1)
  const pair = (): Promise<string> => pairInProcess(app, url, simulator, phone)
  const accountId = await pair()
  const status = (): string => {
    const account = app.registry.get(accountId)
    const { status, reason } = account ? app.registry.statusOf(account) : { status: 'gone', reason: null }
    return `${status} ${reason}`
  }
  await until('the account to connect', () => status() === 'connected null', status)

  simulator.inject({ kind: 'fail_login', reason: 400, phone, times: 'until_cleared' })
  simulator.dropAll(phone)
  await until('the session to be refused for good', () => status() === 'needs_qr bad_session', status)
  await until('the session to be set aside', () => existsSync(join(sessionsPath, '.set-aside')))
  simulator.clearFaults()
  t.equal(await pair(), accountId)
  await until('the account to connect again', () => status() === 'connected null', status)
  t.same(await app.stop(), [], 'everything flushed')
})
