import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createApp } from '../../fixtures/in-process-app.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { readQr } from '../../fixtures/qr-reader.ts'
import { TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

const WAIT_MS = 60_000

t.test('a worker that is larger than it may be goes on in a fresh process, with its session', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const app = createApp({
    sessionsPath,
    simulator,
    // Any worker is larger than this.
    env: { WORKER_MEMORY_MB: '64' },
    tuning: { heartbeatIntervalMs: 200, retirementMinUptimeMs: 5000 },
  })
  t.teardown(() => app.stop())
  const { url } = await app.start()
  const [phone = ''] = testPhones(1)
  const response = await fetch(`${url}/api/whatsapp/add-account`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: phone, phone: `+${phone}` }),
  })
  const { account } = (await response.json()) as { account: { accountId: string; qrCode: string } }
  const { accountId } = account
  await simulator.scanQr(readQr(account.qrCode), phone)
  const identity = (): unknown => {
    const creds: unknown = JSON.parse(readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8'))
    return (creds as Record<string, unknown>)['signedIdentityKey']
  }
  const isConnected = (): boolean => {
    const account = app.registry.get(accountId)
    return account !== undefined && app.registry.statusOf(account).status === 'connected'
  }
  await until('the account to connect', isConnected, WAIT_MS)
  const before = identity()
  const generation = app.registry.get(accountId)?.child.generation ?? 0
  await until('a fresh process', () => (app.registry.get(accountId)?.child.generation ?? 0) > generation, WAIT_MS)
  await until('the account to be back', isConnected, WAIT_MS)
  t.same(identity(), before)
  t.equal(app.registry.get(accountId)?.crashCount, 0, 'it was wanted')
  t.same(await app.stop(), [], 'everything flushed')
})
