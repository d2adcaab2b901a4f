import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { receivedMessages, repeated } from '../../fixtures/received-messages.ts'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

const [phone = ''] = testPhones(1)
const CONTACT = '40733333333'

/** One account in a real worker, killed in every way; what the event stream says is read from the supervisor's log. */
await t.test('each message that WhatsApp got a receipt for is in the event stream, once', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, LOG_LEVEL: 'debug' }
  const services: SupervisorProcess[] = []
  const start = async (): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    services.push(service)
    return service.listening()
  }
  const lines = (): Record<string, unknown>[] => services.flatMap((service) => service.lines())
  const told = (id: string): number => receivedMessages(lines()).filter(({ messageId }) => messageId === id).length
  const receipts = (id: string): number => simulator.receiptsOf(id).filter(({ type }) => type !== 'retry').length
  const send = async (text: string): Promise<string> =>
    (await simulator.sendText({ to: phone, from: CONTACT, text })).id
  const seen = (id: string): Promise<unknown> =>
    until(
      `${id} in the stream, and its receipt`,
      () => told(id) > 0 && receipts(id) > 0,
      () => services.map((service) => service.tail()).join('\n'),
    )

  let service = await start()
  const accountId = await pair(service, simulator, phone)
  await service.connected(1)
  const connected = async (after: number): Promise<number> => {
    const ready = ({ status, process }: { status: string; process: { pid: number | null } }): boolean =>
      status === 'connected' && process.pid !== after
    return (await service.account(accountId, ready)).process.pid ?? 0
  }
  let pid = await connected(0)
  const killWorker = async (): Promise<void> => {
    process.kill(pid, 'SIGKILL')
    pid = await connected(pid)
  }

  await t.test('a message has one line, with the number that it has for ever, and no text', async (t) => {
    const id = await send('a secret text')
    await seen(id)
    const line = lines().find(({ messageId }) => messageId === id) ?? {}
    t.match(line, { event: 'message.received', accountId, sequence: 1, stream: /^[0-9a-f]{16}$/, msg: 'Message' })
    t.notMatch(JSON.stringify(line), new RegExp(`secret|${CONTACT}`))
    const { lastMessageAt } = await service.account(accountId, (account) => account.lastMessageAt !== null)
    t.match(lastMessageAt, /Z$/)
    const { activity } = await service.account(accountId, (account) => account.activity.lastMessageInAt !== null)
    t.match(activity, { lastFrameAt: /Z$/, lastEventAt: /Z$/, lastMessageInAt: /Z$/, lastAckedOutAt: null })
  })

  /** Two messages whose receipts WhatsApp forgets, and a kill. */
  const deliverAgain = async (t: Test, sendOne: (text: string) => Promise<string>): Promise<void> => {
    simulator.inject({ kind: 'forget_receipt', phone, times: 2 })
    const ids = [await sendOne('one'), await sendOne('two')]
    for (const id of ids) await seen(id)
    const mark = simulator.mark()
    await killWorker()
    await simulator.waitFor('queue.emptied', { phone, since: mark })
    for (const id of ids) {
      t.equal(receipts(id), 2, 'the receipt came again')
      t.equal(told(id), 1)
      t.equal(simulator.receiptsOf(id).filter(({ type }) => type === 'retry').length, 0, 'no retry was asked for')
    }
    const nacks = simulator.events(mark).filter(({ type }) => type === 'nack.received')
    t.strictSame(nacks, [], 'and nothing refused')
  }

  await t.test('delivered again after a kill before the receipt: answered for, not read again, not told again', (t) =>
    // The first message of a session is a prekey message, those after an answer are not: both are kept from repeating.
    deliverAgain(t, send),
  )

  await t.test('the same in a group, where the first message brings the key of its writer as well', (t) =>
    deliverAgain(t, async (text) => {
      return (await simulator.sendGroupText({ to: phone, from: CONTACT, group: '120363000000000001', text })).id
    }),
  )

  await t.test('the next message of that contact is read as ever', async () => {
    await seen(await send('three'))
  })

  await t.test('over several kills, in the middle of what comes in', async (t) => {
    const ids: string[] = []
    for (let kill = 0; kill < 3; kill++) {
      if (kill === 1) simulator.inject({ kind: 'forget_receipt', phone, times: 10 })
      const mark = simulator.mark()
      ids.push(...(await Promise.all(Array.from({ length: 60 }, (_, n) => send(`burst ${kill}, ${n}`)))))
      await simulator.waitFor('receipt.received', { phone, since: mark })
      await killWorker()
    }
    await until('all receipts', () => ids.every((id) => receipts(id) > 0))
    await until(
      'all in the stream',
      () => ids.every((id) => told(id) > 0),
      () => service.tail(),
    )
    t.strictSame(repeated(receivedMessages(lines())), [])
  })

  await t.test(
    'a supervisor that is killed: what it may not have got is told to the next, under the same number',
    async (t) => {
      const ids = [await send('before'), await send('just before')]
      await until('the receipts', () => ids.every((id) => receipts(id) > 0))
      await service.end('SIGKILL')
      service = await start()
      pid = await connected(pid)
      const after = await send('after')
      await seen(after)
      const all = receivedMessages(lines())
      for (const id of ids) t.ok(all.some(({ messageId }) => messageId === id))
      t.strictSame(repeated(all), [])
      t.equal(new Set(all.map(({ stream }) => stream)).size, 1, 'one session, one stream')
    },
  )

  await t.test('a new session begins a new stream, and its first message is told', async (t) => {
    const before = new Set(receivedMessages(lines()).map(({ stream }) => stream))
    await simulator.unlink(phone)
    await service.account(accountId, ({ reason }) => reason === 'logged_out')
    await pair(service, simulator, phone)
    await service.account(accountId, ({ status }) => status === 'connected')
    const id = await send('hello again')
    await seen(id)
    const line = receivedMessages(lines()).find(({ messageId }) => messageId === id)
    t.equal(line?.sequence, 1)
    t.notOk(before.has(line?.stream ?? ''))
  })

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
  const logs = readdirSync(join(sessionsPath, accountId)).filter((name) => name.startsWith('session.log'))
  t.ok(logs.length > 0)
  for (const name of logs) t.notMatch(readFileSync(join(sessionsPath, accountId, name), 'latin1'), /a secret text/)
})
