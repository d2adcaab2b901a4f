import t from 'tap'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { receivedMessages } from '../../fixtures/received-messages.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

const [phone = ''] = testPhones(1)
const [CONTACT = '', WRITER = ''] = testPhones(2, 40_733_000_001)
/** Of messages: some seconds' worth of reading. */
const BACKLOG = 150
const NEW_ONES = 10

await t.test('what is new comes after what waited while the account was away', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, LOG_LEVEL: 'debug' }
  const service = new SupervisorProcess({ sessionsPath: t.testdir(), env })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const accountId = await pair(service, simulator, phone)
  await service.connected(1)
  await service.api('POST', `/api/whatsapp/accounts/${accountId}/pause`)
  await until('the account to be away', () => simulator.connections().length === 0)

  const sent: string[] = []
  const inGroup = async (text: string): Promise<void> => {
    sent.push((await simulator.sendGroupText({ to: phone, from: WRITER, group: '120363000000000001', text })).id)
  }
  for (let n = 0; n < BACKLOG; n++) {
    sent.push((await simulator.sendText({ to: phone, from: CONTACT, text: `waits ${n}` })).id)
  }
  // The last of them brings the key of its writer, without which nothing that this one writes can be read.
  await inGroup('waits')
  const mark = simulator.mark()
  await service.api('POST', `/api/whatsapp/accounts/${accountId}/resume`)
  await simulator.waitFor('receipt.received', { phone, since: mark })
  for (let n = 0; n < NEW_ONES; n++) await inGroup(`new ${n}`)

  const received = (): string[] => receivedMessages(service.lines()).map(({ messageId }) => messageId)
  await until(
    'all of them',
    () => received().length >= sent.length,
    () => `${received().length} of ${sent.length}`,
  )
  t.strictSame(received(), sent, 'in the order in which they were sent, each once')
  const retries = sent.flatMap((id) => simulator.receiptsOf(id)).filter(({ type }) => type === 'retry')
  t.strictSame(retries, [], 'none was asked for again')
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
