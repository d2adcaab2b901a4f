import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createApp, pairInProcess } from '../../fixtures/in-process-app.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator, type Simulator } from '../../simulator/simulator.ts'
import type { App } from '../../../supervisor/app.ts'
import type { Tuning } from '../../../supervisor/tuning.ts'

const [phone = ''] = testPhones(1)

interface Paired {
  app: App
  simulator: Simulator
  accountId: string
  identity: () => unknown
  isConnected: () => boolean
  generation: () => number
  /** The operator's word to the connects of all accounts. */
  connects: (word: 'pause' | 'resume') => Promise<void>
}

/** One account of a supervisor in this process, linked and connected. */
async function pairOne(t: Test, tuning: Partial<Tuning>, env: Record<string, string> = {}): Promise<Paired> {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const app = createApp({ sessionsPath, simulator, env: { WORKER_BUNDLE: 'off', ...env }, tuning })
  t.teardown(() => app.stop())
  const { url } = await app.start()
  const post = async (path: string, body: object): Promise<Response> => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    const response = await fetch(`${url}/api/whatsapp/${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    return response
  }
  const accountId = await pairInProcess(app, url, simulator, phone)
  const identity = (): unknown => {
    const creds: unknown = JSON.parse(readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8'))
    return (creds as Record<string, unknown>)['signedIdentityKey']
  }
  const isConnected = (): boolean => {
    const account = app.registry.get(accountId)
    return account !== undefined && app.registry.statusOf(account).status === 'connected'
  }
  const generation = (): number => app.registry.get(accountId)?.child.generation ?? 0
  await until('the account to connect', isConnected)
  const connects = async (word: 'pause' | 'resume'): Promise<void> => void (await post(`connects/${word}`, {}))
  return { app, simulator, accountId, identity, isConnected, generation, connects }
}

t.test('a worker that is larger than it may be goes on in a fresh process, with its session', async (t) => {
  // Any worker is larger than this.
  const env = { WORKER_MEMORY_MB: '64' }
  const paired = await pairOne(t, { heartbeatIntervalMs: 200, retirementMinUptimeMs: 5000 }, env)
  const { app, accountId, identity, isConnected, generation } = paired
  const [before, first] = [identity(), generation()]
  await until('a fresh process', () => generation() > first)
  await until('the account to be back', isConnected)
  t.same(identity(), before)
  t.equal(app.registry.get(accountId)?.crashCount, 0, 'it was wanted')
  t.same(await app.stop(), [], 'everything flushed')
})

t.test('while the operator lets nobody connect, a worker that is larger than it may be stays connected', async (t) => {
  const minUptimeMs = 30_000
  const env = { WORKER_MEMORY_MB: '64' }
  const paired = await pairOne(t, { heartbeatIntervalMs: 200, retirementMinUptimeMs: minUptimeMs }, env)
  const { app, accountId, connects, isConnected, generation } = paired
  // On a slow machine the first may have gone before the pause; the next one has nothing to do but to log in.
  const isHeld = async (): Promise<boolean> => {
    await connects('resume')
    await until('the account to connect', isConnected)
    const before = generation()
    await connects('pause')
    return isConnected() && generation() === before
  }
  await until('the pause to meet a connected one', isHeld)
  const first = generation()
  const lastBeatMs = (): number => app.registry.get(accountId)?.process?.cpu?.atMonotonicMs ?? 0
  await until('a heartbeat', () => lastBeatMs() > 0)
  const oldEnoughMs = lastBeatMs() + minUptimeMs
  await until('heartbeats of one that may retire', () => lastBeatMs() > oldEnoughMs + 500)
  t.equal(generation(), first)
  t.ok(isConnected())
  await connects('resume')
  await until('a fresh process', () => generation() > first)
  await until('the account to be back', isConnected)
  t.same(await app.stop(), [], 'everything flushed')
})

t.test('a worker that has opened many sockets goes on in a fresh process, between two of them', async (t) => {
  // The pairing, the login after it, and one reconnect.
  const paired = await pairOne(t, { renewAfterSockets: 3 })
  const { app, simulator, accountId, identity, isConnected, generation } = paired
  const before = identity()
  const drop = async (): Promise<void> => {
    const { reconnectCount = 0 } = app.registry.get(accountId) ?? {}
    simulator.dropAll()
    const isBack = (): boolean => isConnected() && (app.registry.get(accountId)?.reconnectCount ?? 0) > reconnectCount
    await until('the account to be back', isBack)
  }
  await drop()
  t.equal(generation(), 1, 'the same process')
  await drop()
  t.equal(generation(), 2, 'a fresh one, asked for the permit that the old one gave back')
  t.same(identity(), before)
  t.equal(app.registry.get(accountId)?.crashCount, 0, 'it was wanted')
  t.same(await app.stop(), [], 'everything flushed')
})
