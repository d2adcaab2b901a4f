import { join } from 'node:path'
import t from 'tap'
import { EXIT } from '../../../shared/exit-codes.ts'
import type { FromWorker } from '../../../shared/ipc.ts'
import { createLog } from '../../../shared/log.ts'
import { nodeFs, type SessionFs } from '../../../shared/session/session-fs.ts'
import { Account } from '../../../worker/account.ts'
import { FastClock } from '../../fixtures/fast-clock.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator, type Simulator } from '../../simulator/simulator.ts'
import { tameBaileys } from '../simulator/baileys-client.ts'

tameBaileys()

const [phone = ''] = testPhones(1)
const CONTACT = '40733333333'
/** DEAF_AFTER_MS in one and a half seconds. */
const FAST = 60
/** The wait for what was sent meanwhile in three seconds, DEAF_AFTER_MS in nine, and a login still has six. */
const SOON = 10

/** A disk whose syncs stop coming back at some moment, and may come back later. */
class HangingDisk {
  #hangs = false
  #waiting: (() => void)[] = []

  readonly fs: SessionFs = {
    ...nodeFs,
    open: async (path, how) => {
      const file = await nodeFs.open(path, how)
      return {
        ...file,
        datasync: async () => {
          if (this.#hangs) await new Promise<void>((resolve) => this.#waiting.push(resolve))
          return file.datasync()
        },
      }
    },
  }

  hang(): void {
    this.#hangs = true
  }

  comeBack(): void {
    this.#hangs = false
    for (const go of this.#waiting.splice(0)) go()
  }
}

/** All of a worker but its process: the shell, the session and the real Baileys, against the simulator, on this disk. */
class Worker {
  readonly clock = new FastClock()
  readonly disk = new HangingDisk()
  readonly said: FromWorker[] = []
  exitCode: number | undefined
  readonly account: Account

  constructor(sessionsPath: string, simulator: Simulator) {
    this.account = new Account({
      start: {
        type: 'start',
        accountId: 'account_test_1',
        phone: `+${phone}`,
        sessionsPath,
        pairing: true,
        recover: null,
        backup: false,
        logLevel: 'silent',
        logTarget: { kind: 'json' },
        socket: { url: simulator.url, noiseRootKey: simulator.noiseRootKey, version: null, knownGood: null },
        policy: {
          maxReconnectAttempts: 5,
          refusalPeriodMs: 600_000,
          healthCheckIntervalMs: 300,
          staleConnectionThresholdMs: 100_000_000,
          renewAfterSockets: 200,
        },
        retirement: { memoryLimitBytes: 1_000_000_000, minUptimeMs: 1_800_000 },
        heartbeatIntervalMs: 5000,
      },
      clock: this.clock,
      log: createLog('silent'),
      random: Math.random,
      fs: this.disk.fs,
      send: async (message) => {
        this.said.push(message)
        if (message.type === 'permit_request') this.account.handle({ type: 'permit', shared: false })
        if (message.type === 'qr' && message.text !== null) await simulator.scanQr(message.text, phone)
        if (message.type === 'messages') {
          const sequence = message.messages.at(-1)?.sequence ?? 0
          this.account.handle({ type: 'messages_received', stream: message.stream, sequence })
        }
      },
      exit: (code) => void (this.exitCode ??= code),
    })
  }

  told(id: string): number {
    return this.said
      .flatMap((message) => (message.type === 'messages' ? message.messages : []))
      .filter((message) => message.id === id).length
  }

  async reported(what: string, from = 0): Promise<void> {
    const said = (): string[] =>
      this.said.slice(from).flatMap((m) => (m.type === 'connection' ? [`${m.status} ${m.reason}`] : []))
    await until(
      `a report ${what}`,
      () => said().includes(what),
      () => said().join(', '),
    )
  }
}

for (const comesBack of [true, false]) {
  const then = comesBack ? 'a new socket hears everything' : 'the process ends, as its disk is of no use'
  await t.test(`a message comes in that is never taken up, while frames go on: deaf; then ${then}`, async (t) => {
    const simulator = await startSimulator()
    t.teardown(() => simulator.close())
    const worker = new Worker(join(t.testdir(), 'sessions'), simulator)
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
      await worker.reported('connected null', from)
      await until('the receipt', () => simulator.receiptsOf(unheard).length > 0)
      t.equal(worker.told(unheard), 1, 'once, though it came twice')
    } else {
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
    const worker = new Worker(join(t.testdir(), 'sessions'), simulator)
    t.teardown(() => worker.account.stop())
    worker.clock.setSpeed(SOON)
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
      refused.clear()
      await worker.reported('connected null', from)
    }
    await until('the message', () => worker.told(id) === 1)
    const reports = worker.said.slice(from).filter(({ type }) => type === 'connection')
    t.equal(reports.length === 0, refusal === 'once', 'a connection that delivers is left alone')
  })
}
