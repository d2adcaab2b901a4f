import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

const CONTACT = '49151000009'

interface SetAside {
  id: string
  accountId: string
  reason: string
  phone: string | null
  sizeBytes: number
}

/** Every file of a directory, by name. */
function filesIn(dir: string): Map<string, Buffer> {
  return new Map(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name))]))
}

/** What happens to sessions between two of an account's lives, told in order on one fleet of two. */
await t.test('sessions that are set aside, put back, damaged and recovered', async (t) => {
  const root = t.testdir({ sessions: {} })
  const sessionsPath = join(root, 'sessions')
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, MAX_ACCOUNTS: '2' }
  const start = async (): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  let service = await start()
  const [first = '', second = '', third = ''] = testPhones(3)
  const one = await pair(service, simulator, first)
  const two = await pair(service, simulator, second)
  await service.connected(2)
  const post = (accountId: string, action: string, body: object): Promise<{ status: number; body: unknown }> =>
    service.api('POST', `/api/whatsapp/accounts/${accountId}/${action}`, body)
  const list = async (): Promise<SetAside[]> => {
    const { status, body } = await service.api('GET', '/api/whatsapp/sessions/set-aside')
    t.equal(status, 200)
    return (body as { sessions: SetAside[] }).sessions
  }
  /** A contact's message arrives, after whatever retries it takes. */
  const hears = async (accountId: string, phone: string): Promise<void> => {
    const before = (await service.account(accountId, () => true)).lastMessageAt
    await simulator.sendText({ to: phone, from: CONTACT, text: 'still there?' })
    await service.account(accountId, ({ lastMessageAt }) => lastMessageAt !== before)
  }
  await hears(one, first)

  await t.test('a removed account comes back with its session, without a QR code', async (t) => {
    t.equal((await service.api('DELETE', `/api/whatsapp/accounts/${one}`)).status, 200)
    const [session, ...others] = await list()
    t.match(session, { accountId: one, reason: 'removed', phone: '+407****01' })
    t.ok((session?.sizeBytes ?? 0) > 10_000, 'with its size')
    t.same(others, [])
    const id = session?.id ?? ''
    t.match(await post(two, 'put-back', { session: id }), {
      status: 409,
      body: { error: { code: 'session_mismatch' } },
    })
    t.match(await post(one, 'put-back', { session: `${one}-2020-01-01T00-00-00Z-removed` }), {
      status: 404,
      body: { error: { code: 'set_aside_not_found' } },
    })
    await service.add(third)
    t.match(await post(one, 'put-back', { session: id }), {
      status: 409,
      body: { error: { code: 'too_many_accounts' } },
    })
    const added = (await service.dashboard()).accounts.find(({ phone }) => phone?.endsWith('03'))
    t.equal((await service.api('DELETE', `/api/whatsapp/accounts/${added?.accountId}?purge=true`)).status, 200)

    const mark = simulator.mark()
    const twice = await Promise.all([post(one, 'put-back', { session: id }), post(one, 'put-back', { session: id })])
    t.same(
      twice.map(({ status }) => status),
      [200, 200],
      JSON.stringify(twice),
    )
    t.match(await post(one, 'put-back', { session: id }), { status: 200 }, 'once more, a moment later: nothing to do')
    const back = await service.account(one, ({ status }) => status === 'connected')
    t.equal(back.phone, '+407****01')
    t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0)
    await hears(one, first)
    t.same(await list(), [])
    t.match(await post(two, 'put-back', { session: id }), { status: 404 })
  })

  await t.test('a session goes back over another; a paused account stays paused', async (t) => {
    t.equal((await service.api('DELETE', `/api/whatsapp/accounts/${one}`)).status, 200)
    const [removed] = await list()
    // A new identity of the same phone, waiting for a scan.
    t.equal((await service.add(first)).accountId, one)
    t.equal((await post(one, 'pause', {})).status, 200)
    t.equal((await post(one, 'put-back', { session: removed?.id })).status, 200)
    t.match(await service.account(one, () => true), { reason: 'paused', process: { pid: null } })
    t.match(await list(), [{ accountId: one, reason: 'replaced_by_put_back', phone: null }])
    t.equal((await post(one, 'resume', {})).status, 200)
    await service.account(one, ({ status }) => status === 'connected')
    t.match(await post(one, 'recover', { from: 'readable' }), { status: 409, body: { error: { code: 'not_damaged' } } })
  })

  for (const from of ['readable', 'previous'] as const) {
    await t.test(`a damaged log: recovered from ${from}, with the operator's word`, async (t) => {
      for (let n = 0; n < 3; n++) await hears(one, first)
      t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
      const dir = join(sessionsPath, one)
      const path = join(dir, 'session.log')
      const log = readFileSync(path)
      // The log before a compaction, as it would be after one.
      if (from === 'previous') writeFileSync(join(dir, 'session.log.prev'), log)
      // Three records from the end: acknowledged ones are behind it.
      const starts = [...log.toString('latin1').matchAll(/WREC/g)].map(({ index }) => index)
      const at = (starts.at(-4) ?? 0) + 30
      log[at] = (log[at] ?? 0) ^ 0xff
      writeFileSync(path, log)
      const damaged = filesIn(dir)

      service = await start()
      await service.account(two, ({ status }) => status === 'connected')
      const refused = await service.account(one, ({ reason }) => reason === 'session_damaged')
      t.match(refused, { status: 'disconnected', needsPerson: true, notice: null })
      t.match(refused.detail, /readable part .* is lost\) or from its previous generation/)
      const asideBefore = (await list()).length
      const mark = simulator.mark()
      const answer = await post(one, 'recover', { from })
      t.match(
        answer,
        { status: 200, body: { account: { status: 'recovered' }, recovery: { from } } },
        JSON.stringify(answer),
      )
      const { recovery } = answer.body as { recovery: { recordsKept: number; recordsLost: number } }
      const { recordsKept, recordsLost } = recovery
      t.ok(recordsKept > 3, JSON.stringify(recovery))
      if (from === 'readable') t.ok(recordsLost >= 3, JSON.stringify(recovery))
      const connected = await service.account(one, ({ status }) => status === 'connected')
      t.match(connected.notice, { code: 'session_recovered', message: /was recovered from its/ })
      t.equal(simulator.events(mark).filter(({ type }) => type === 'qr.offered').length, 0)
      t.match(await service.logged('session.recovered', one), { from, recordsKept, recordsLost })

      const [aside, ...older] = await list()
      t.equal(older.length, asideBefore)
      t.match(aside, { accountId: one, reason: 'damaged' })
      const kept = filesIn(join(sessionsPath, '.set-aside', aside?.id ?? ''))
      damaged.delete('lock')
      kept.delete('lock')
      t.same([...kept.keys()].sort(), [...damaged.keys()].sort())
      for (const [name, bytes] of damaged) t.ok(kept.get(name)?.equals(bytes), `${name} is as it was`)

      await until('new prekeys at WhatsApp', () =>
        simulator.events(mark).find((event) => event.type === 'prekeys.uploaded' && event.phone === first),
      )
      await hears(one, first)
      t.match(await post(one, 'recover', { from }), { status: 409, body: { error: { code: 'not_damaged' } } })
      t.equal((await post(one, 'restart', {})).status, 200)
      const { process } = connected
      const again = await service.account(
        one,
        (account) => account.status === 'connected' && account.process.pid !== process.pid,
      )
      t.match(again.notice, { code: 'session_recovered' }, 'a later process still says so')
    })
  }

  await t.test('a logged-out session is listed with its reason', async (t) => {
    t.equal((await post(two, 'logout', {})).status, 200)
    await until('the session to be set aside', async () => (await list()).some(({ accountId }) => accountId === two))
    t.match((await list())[0], { accountId: two, reason: 'logged_out', phone: '+407****02' })
  })

  t.notOk(existsSync(join(sessionsPath, '.set-aside', `.put-back-${one}`)))
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
