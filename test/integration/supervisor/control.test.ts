import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { addWithQr, pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** What an operator does with single accounts, told in order on one fleet of two. */
await t.test('an operator and two accounts', async (t) => {
  const root = t.testdir({ sessions: {} })
  const sessionsPath = join(root, 'sessions')
  const simulator = await startSimulator({ qrRefs: 1 })
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, MAX_ACCOUNTS: '2' }
  const start = async (): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  let service = await start()
  const [first = '', second = ''] = testPhones(2)
  const post = (accountId: string, action: string): Promise<{ status: number; body: unknown }> =>
    service.api('POST', `/api/whatsapp/accounts/${accountId}/${action}`)
  const setAside = (): string[] =>
    existsSync(join(sessionsPath, '.set-aside')) ? readdirSync(join(sessionsPath, '.set-aside')) : []

  const one = await pair(service, simulator, first)
  await service.account(one, ({ status }) => status === 'connected')

  await t.test('the same phone again is the same account, and a name can change', async (t) => {
    const again = await service.add(first, 'Another name')
    t.match(again, { accountId: one, status: 'connected', qrCode: null, name: 'Another name' })
  })

  let two = ''
  await t.test("a phone that is not the account's is unlinked again, and named masked", async (t) => {
    const added = await addWithQr(service, second)
    two = added.accountId
    const stranger = '40799999955'
    await simulator.scanQr(added.qrText, stranger)
    const refused = await service.account(two, ({ reason }) => reason === 'wrong_phone')
    t.equal(refused.status, 'needs_qr')
    t.match(refused.detail, '+407****55')
    await until('the stranger to be unlinked', () => !simulator.phones().some(({ phone }) => phone === stranger))
  })

  await t.test('a pairing code links as a QR code does', async (t) => {
    const answer = await post(two, 'pairing-code')
    t.equal(answer.status, 200, JSON.stringify(answer.body))
    const { code } = answer.body as { code: string }
    t.match(code, /^[0-9A-Z]{4}-[0-9A-Z]{4}$/)
    await simulator.enterPairingCode(second, code.replace('-', ''))
    await service.account(two, ({ status }) => status === 'connected')
    const printed = service.output.join('\n')
    for (const form of [code, code.replace('-', '')]) t.notOk(printed.includes(form), 'the code is in no log')
    t.match(await post(two, 'pairing-code'), { status: 409, body: { error: { code: 'already_linked' } } })
  })

  await t.test('more than MAX_ACCOUNTS is refused', async (t) => {
    const answer = await service.api('POST', '/api/whatsapp/add-account', { name: 'x', phone: '+40700000099' })
    t.match(answer, { status: 409, body: { success: false, error: { code: 'too_many_accounts' } } })
  })

  await t.test(
    'a paused account stays down over a restart of the service, and resumes without a QR code',
    async (t) => {
      t.equal((await post(two, 'pause')).status, 200)
      await service.account(two, ({ reason, process }) => reason === 'paused' && process.pid === null)
      t.match(await post(two, 'restart'), { status: 409, body: { error: { code: 'account_paused' } } })
      t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
      service = await start()
      await service.account(one, ({ status }) => status === 'connected')
      t.match(await service.account(two, () => true), { status: 'disconnected', reason: 'paused' })
      t.equal((await post(two, 'resume')).status, 200)
      await service.account(two, ({ status }) => status === 'connected')
      t.equal((await post(two, 'resume')).status, 200, 'twice is once')
    },
  )

  await t.test('logging out unlinks at WhatsApp, and sets the session aside', async (t) => {
    const before = setAside().length
    t.equal((await post(two, 'logout')).status, 200)
    const out = await service.account(two, ({ reason }) => reason === 'logged_out')
    t.equal(out.status, 'needs_qr')
    await until('the device to be unlinked', () => !simulator.phones().some(({ phone }) => phone === second))
    await until('the session to be set aside', () => setAside().length === before + 1)
    t.match(await post(two, 'logout'), { status: 409, body: { error: { code: 'not_connected' } } })
  })

  await t.test('a removed account is gone, its session set aside or destroyed', async (t) => {
    const before = setAside().length
    t.equal((await service.api('DELETE', `/api/whatsapp/accounts/${one}`)).status, 200)
    t.same(
      (await service.dashboard()).accounts.map(({ accountId }) => accountId),
      [two],
    )
    t.notOk(existsSync(join(sessionsPath, one)))
    t.equal(setAside().length, before + 1)
    t.equal((await service.api('DELETE', `/api/whatsapp/accounts/${one}`)).status, 404)
    t.equal((await service.api('DELETE', `/api/whatsapp/accounts/${two}?purge=true`)).status, 200)
    t.notOk(existsSync(join(sessionsPath, two)))
    t.equal(setAside().length, before + 1, 'nothing was kept of it')
  })

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
