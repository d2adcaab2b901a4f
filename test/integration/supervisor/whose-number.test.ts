import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { addWithQr, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { clientFor, simulatorFor, tameBaileys } from '../simulator/baileys-client.ts'

tameBaileys()
const [phone = '', other = ''] = testPhones(2)

t.test('two sessions of one WhatsApp number: the first connects, the second is told why it does not', async (t) => {
  const simulator = await simulatorFor(t)
  const one = clientFor(t, simulator, {}, 'one')
  const two = clientFor(t, simulator, {}, 'two')
  const root = t.testdir({ sessions: {} })
  const sessionsPath = join(root, 'sessions')
  for (const [client, name] of [
    [one, 'account_a'],
    [two, 'account_b'],
  ] as const) {
    await client.pair(simulator, phone)
    await client.stop()
    cpSync(client.directory, join(sessionsPath, name), { recursive: true })
  }
  const service = new SupervisorProcess({
    sessionsPath,
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const second = await service.account('account_b', ({ reason }) => reason === 'number_taken')
  t.match(second, { status: 'disconnected', needsPerson: true, detail: /Another account is this WhatsApp number/ })
  await service.account('account_a', ({ status }) => status === 'connected')
  // The operator decides: the first goes, the second may come.
  t.match(await service.api('DELETE', '/api/whatsapp/accounts/account_a'), { status: 200 })
  await service.api('POST', '/api/whatsapp/accounts/account_b/restart')
  await service.account('account_b', ({ status }) => status === 'connected')
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})

t.test(
  'a phone that wants a passkey: the account says so, and shows a QR code again when it is asked to',
  async (t) => {
    const simulator = await simulatorFor(t)
    const service = new SupervisorProcess({
      sessionsPath: t.testdir(),
      env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey },
    })
    t.teardown(() => service.end('SIGKILL'))
    await service.listening()
    simulator.inject({ kind: 'require_passkey', phone })
    const { accountId, qrText } = await addWithQr(service, phone)
    await t.rejects(simulator.scanQr(qrText, phone), { code: 'pairing_failed' })
    const row = await service.account(accountId, ({ reason }) => reason === 'passkey_required')
    t.match(row, { status: 'needs_qr', needsPerson: true, detail: /passkey/ })
    t.equal(row.qrCode, undefined)
    const again = await addWithQr(service, phone)
    await simulator.scanQr(again.qrText, phone)
    await service.account(accountId, ({ status }) => status === 'connected')
    t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
  },
)

t.test('a phone that scanned for the wrong account is linked to its own one afterwards, and stays so', async (t) => {
  const simulator = await simulatorFor(t)
  const service = new SupervisorProcess({
    sessionsPath: t.testdir(),
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const first = await addWithQr(service, phone)
  await simulator.scanQr(first.qrText, other)
  await service.account(first.accountId, ({ reason }) => reason === 'wrong_phone')
  const second = await addWithQr(service, other)
  await simulator.scanQr(second.qrText, other)
  const settled = ({ status, reason }: { status: string; reason: string | null }): boolean =>
    status === 'connected' || reason === 'number_taken'
  t.match(await service.account(second.accountId, settled), { status: 'connected' })
  const { process } = await service.account(second.accountId, () => true)
  await service.api('POST', `/api/whatsapp/accounts/${second.accountId}/restart`)
  const isNext = (row: { status: string; reason: string | null; process: { generation: number } }): boolean =>
    row.process.generation > process.generation && settled(row)
  t.match(await service.account(second.accountId, isNext), { status: 'connected' })
  t.match(await service.account(first.accountId, () => true), { status: 'needs_qr', reason: 'wrong_phone' })
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
