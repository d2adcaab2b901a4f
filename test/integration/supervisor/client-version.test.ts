import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { pairAll, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** WhatsApp Web's page, as far as anybody reads it. */
async function startPage(t: Test, revision: number): Promise<{ url: string; asked: () => number }> {
  let asked = 0
  const server = createServer((_request, response) => {
    asked++
    response.end(`self.x={\\"client_revision\\":${revision},\\"y\\":1}`)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { url: `http://127.0.0.1:${port}/sw.js`, asked: () => asked }
}

const NEW = 2_000_000_001

t.test('WhatsApp refuses the client version: a newer one is looked up once, and everybody is back', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const page = await startPage(t, NEW)
  const env = {
    WA_SOCKET_URL: simulator.url,
    WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
    WA_VERSION_URL: page.url,
  }
  const service = await new SupervisorProcess({ sessionsPath, env }).listening()
  t.teardown(() => service.end('SIGKILL'))
  await pairAll(service, simulator, testPhones(4))
  await service.connected(4)
  t.equal(page.asked(), 0, 'nothing is looked up while nothing is refused')

  simulator.inject({ kind: 'outdated_client', belowRevision: NEW, times: 'until_cleared' })
  simulator.dropAll()
  t.match(await service.logged('version.changed'), { version: `2.3000.${NEW}` })
  await service.connected(4)
  t.equal(page.asked(), 1)
  const kept = (): string => readFileSync(join(sessionsPath, 'wa-version.json'), 'utf8')
  await until('it to be kept', () => kept() === JSON.stringify([2, 3000, NEW]) + '\n', kept)
  t.equal((await service.dashboard()).trouble, null)
  t.same(await service.end('SIGTERM'), { code: 0, signal: null })

  const next = await new SupervisorProcess({ sessionsPath, env }).listening()
  t.teardown(() => next.end('SIGKILL'))
  await next.connected(4)
  t.notOk(
    next.lines().some(({ event }) => event === 'version.refused'),
    'the next start begins with the version that was good',
  )
  t.equal(page.asked(), 1)
  await next.end('SIGTERM')
})

t.test('no newer version is known: one notice says what is wrong and what to do', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const page = await startPage(t, 1_000_000)
  const service = await new SupervisorProcess({
    sessionsPath: t.testdir(),
    env: {
      WA_SOCKET_URL: simulator.url,
      WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
      WA_VERSION: '2.3000.1900000000',
      WA_VERSION_URL: page.url,
    },
  }).listening()
  t.teardown(() => service.end('SIGKILL'))
  const [accountId = ''] = await pairAll(service, simulator, testPhones(1))
  await service.connected(1)
  simulator.inject({ kind: 'outdated_client', belowRevision: NEW, times: 'until_cleared' })
  simulator.dropAll()
  const isOver = async (): Promise<boolean> => (await service.dashboard()).trouble?.kind === 'client_outdated'
  await service.logged('version.looked_up')
  await until('the fleet to be stuck', isOver)
  const row = await service.account(
    accountId,
    ({ reason, nextTryAt }) => reason === 'client_outdated' && nextTryAt !== null,
  )
  t.equal(row.status, 'disconnected')
  t.match((await service.dashboard()).trouble?.message, /refuses the client version 2\.3000\.\d+.*WA_VERSION/)
  simulator.clearFaults()
  await service.api('POST', `/api/whatsapp/accounts/${accountId}/restart`)
  await service.connected(1)
  t.equal((await service.dashboard()).trouble, null)
  await service.end('SIGTERM')
})
