import { join } from 'node:path'
import t from 'tap'
import { EXIT } from '../../../shared/exit-codes.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { tameBaileys } from '../simulator/baileys-client.ts'
import { InProcessWorker } from './fixtures/in-process-worker.ts'

tameBaileys()

const [phone = ''] = testPhones(1)
const CONTACT = '40733333333'
/** DEAF_AFTER_MS in one and a half seconds. */
const FAST = 60
/** The wait for what was sent meanwhile in three seconds, DEAF_AFTER_MS in nine. */
const SOON = 10

for (const comesBack of [true, false]) {
  const then = comesBack ? 'a new socket hears everything' : 'the process ends, as its disk is of no use'
  await t.test(`a message comes in that is never taken up, while frames go on: deaf; then ${then}`, async (t) => {
    const simulator = await startSimulator()
    t.teardown(() => simulator.close())
    const worker = new InProcessWorker(join(t.testdir(), 'sessions'), simulator, phone)
    t.teardown(() => {
      worker.disk.comeBack()
      return worker.account.stop()
    })
    await worker.account.begin()
    await worker.reported('connected null')
    const send = async (text: string): Promise<string> =>
      (await simulator.sendText({ to: phone, from: CONTACT, text })).id

    const heard = await send('one')
    await until('the first message', () => worker.told(heard) === 1 && simulator.receiptsOf(heard).length > 0)
    await until('its event', () => worker.account.activity.lastEventAtMs !== null)
    const { lastFrameAtMs, lastMessageInAtMs, lastAckedOutAtMs } = worker.account.activity
    t.ok(lastFrameAtMs !== null && lastMessageInAtMs !== null, 'what came is known apart')
    t.equal(lastAckedOutAtMs, null, 'nothing was sent')

    worker.disk.hang()
    const from = worker.said.length
    const unheard = await send('two')
    worker.clock.setSpeed(FAST)
    await worker.reported('connecting deaf', from)
    t.equal(worker.told(unheard), 0)
    t.equal(simulator.receiptsOf(unheard).length, 0, 'WhatsApp was told nothing')
    t.equal(worker.exitCode, undefined, 'the first time in this process')

    if (comesBack) {
      worker.clock.setSpeed(1)
      worker.disk.comeBack()
      worker.permit()
      await worker.reported('connected null', from)
      await until('the receipt', () => simulator.receiptsOf(unheard).length > 0)
      t.equal(worker.told(unheard), 1, 'once, though it came twice')
    } else {
      worker.permit()
      await until('the end', () => worker.exitCode !== undefined)
      t.equal(worker.exitCode, EXIT.storageFailed.code)
      t.match(
        worker.said.find(({ type }) => type === 'fault'),
        { reason: 'storage_failed', message: /did not take a write in 30 s/ },
      )
    }
  })
}

for (const refusal of ['once', 'until_cleared'] as const) {
  const then = refusal === 'once' ? 'it is asked once more, and delivers' : 'deaf; then a new socket hears everything'
  await t.test(`WhatsApp does not take the word to deliver, while pings are answered: ${then}`, async (t) => {
    const simulator = await startSimulator()
    t.teardown(() => simulator.close())
    const worker = new InProcessWorker(join(t.testdir(), 'sessions'), simulator, phone)
    t.teardown(() => worker.account.stop())
    worker.speedOnceConnected = SOON
    const times = refusal === 'once' ? 1 : refusal
    const refused = simulator.inject({ kind: 'refuse_active', phone, times })
    await worker.account.begin()
    await worker.reported('connected null')
    t.equal(refused.hits, 1, 'Baileys says open all the same')
    const from = worker.said.length
    const { id } = await simulator.sendText({ to: phone, from: CONTACT, text: 'waits' })

    if (refusal === 'until_cleared') {
      await worker.reported('connecting deaf', from)
      t.ok(refused.hits >= 2, 'it was asked once more')
      t.equal(worker.told(id), 0)
      worker.speedOnceConnected = undefined
      worker.clock.setSpeed(1)
      refused.clear()
      await worker.reported('connected null', from)
    }
    await until('the message', () => worker.told(id) === 1)
    const reports = worker.said.slice(from).filter(({ type }) => type === 'connection')
    t.equal(reports.length === 0, refusal === 'once', 'a connection that delivers is left alone')
  })
}
