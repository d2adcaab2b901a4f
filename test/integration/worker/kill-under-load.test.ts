import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { receivedMessages, repeated } from '../../fixtures/received-messages.ts'
import { isAlive, SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator, type Simulator } from '../../simulator/simulator.ts'

/** KILLS=40 with `--timeout=1200` is the long run. */
const KILLS = Number(process.env['KILLS'] ?? '6')
const PER_SECOND = 40
/** Before each kill: what they belong to comes again after it. */
const LOST_RECEIPTS = 3
/** Ten seconds' worth: more is what this machine can't do, and no part of the question. */
const MOST_BEHIND = 400
/** Each of these messages comes in a group, and so often the group is another one, whose keys are new to the account. */
const IN_GROUP_EVERY = 5
const GROUP_CHANGES_EVERY = 60
const CONTACTS = testPhones(4, 40_733_000_001)
const CHECK = fileURLToPath(new URL('../../../worker/session/session-command.js', import.meta.url))
const [phone = ''] = testPhones(1)

interface Load {
  readonly sent: string[]
  /** Contacts write no more; resolves when the last message is on its way. */
  stop(): Promise<void>
}

/** Contacts that write to the account in turn, at a steady pace, whether it is online or not. */
function startLoad(simulator: Simulator, confirmed: ReadonlySet<string>): Load {
  const sent: string[] = []
  const underWay = new Set<Promise<void>>()
  let lastMs = performance.now()
  let due = 0
  let count = 0
  const write = (): void => {
    const from = CONTACTS[count++ % CONTACTS.length] ?? ''
    const message = { to: phone, from, text: `number ${count}` }
    const group = String(120_363_000_000_000 + Math.floor(count / GROUP_CHANGES_EVERY))
    const sending = (
      count % IN_GROUP_EVERY === 0 ? simulator.sendGroupText({ ...message, group }) : simulator.sendText(message)
    ).then(({ id }) => void sent.push(id))
    underWay.add(sending)
    void sending.finally(() => underWay.delete(sending))
  }
  // A busy machine makes timers late, and may be too slow for the pace: what is due is written, up to a bound.
  const timer = setInterval(() => {
    const nowMs = performance.now()
    due += ((nowMs - lastMs) / 1000) * PER_SECOND
    lastMs = nowMs
    due = Math.min(due, MOST_BEHIND - (count - confirmed.size))
    for (; due >= 1; due--) write()
  }, 1000 / PER_SECOND)
  return {
    sent,
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
    },
  }
}

/** What the service saw of the account's answers, counted as they came: its own record keeps only the last ones. */
function countAnswers(simulator: Simulator): Record<string, number> {
  const counts: Record<string, number> = {}
  simulator.on((event) => {
    const name = event.type === 'nack.received' ? `${event.type} ${event.code}` : event.type
    counts[name] = (counts[name] ?? 0) + 1
  })
  return counts
}

await t.test(`a worker that is killed ${KILLS} times while ${PER_SECOND} messages a second come in`, async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, LOG_LEVEL: 'debug' }
  const service = new SupervisorProcess({ sessionsPath, env })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const accountId = await pair(service, simulator, phone)
  const connected = async (not: number): Promise<number> => {
    const ready = await service.account(accountId, (a) => a.status === 'connected' && a.process.pid !== not)
    return ready.process.pid ?? 0
  }
  const dir = join(sessionsPath, accountId)
  const identity = (): unknown => {
    const { registrationId, noiseKey, signedIdentityKey } = JSON.parse(
      readFileSync(join(dir, 'creds.json'), 'utf8'),
    ) as Record<string, unknown>
    return { registrationId, noiseKey, signedIdentityKey }
  }
  const waiting = (): number => simulator.phones().flatMap(({ devices }) => devices.map((d) => d.waiting))[0] ?? -1

  let pid = await connected(0)
  const before = identity()
  const devices = (): unknown => simulator.phones().map(({ phone, devices }) => [phone, devices.map((d) => d.deviceId)])
  const paired = devices()
  const counts = countAnswers(simulator)
  const startedMs = performance.now()
  // Kept here: the simulator's own record is bounded.
  const confirmed = new Set<string>()
  let retries = 0
  simulator.on((event) => {
    if (event.type !== 'receipt.received') return
    if (event.receipt === 'retry') retries++
    else confirmed.add(event.messageId)
  })
  const load = startLoad(simulator, confirmed)
  t.teardown(() => load.stop())

  for (let kill = 1; kill <= KILLS; kill++) {
    // In the middle of what comes in, at no moment in particular: after up to six seconds' worth of receipts.
    const victim = pid
    let left = LOST_RECEIPTS + Math.floor(Math.random() * 6 * PER_SECOND)
    // The moment between the write and the receipt is too short to be hit often: this is the same to both sides.
    simulator.inject({ kind: 'forget_receipt', phone, times: LOST_RECEIPTS })
    await new Promise<void>((resolve) => {
      const stop = simulator.on(({ type }) => {
        if (type !== 'receipt.received' || --left > 0) return
        stop()
        process.kill(victim, 'SIGKILL')
        resolve()
      })
    })
    await until('the end of the process', () => !isAlive(victim))
    simulator.clearFaults()
    t.strictSame(identity(), before, `kill ${kill}: creds.json is whole`)
    // A person may ask for the account at any time; otherwise the backoff after crashes would be most of this test.
    const down = await service.account(accountId, (a) => a.process.pid !== victim)
    if (down.process.state === 'backing_off') await service.api('POST', `/api/whatsapp/accounts/${accountId}/restart`)
    pid = await connected(victim)
  }

  await load.stop()
  const perSecond = Math.round((load.sent.length / (performance.now() - startedMs)) * 1000)
  const missing = (): number => load.sent.filter((id) => !confirmed.has(id)).length
  await until(
    'every receipt',
    () => missing() === 0,
    () => `${missing()} of ${load.sent.length} missing`,
  )
  await until(
    'an empty queue',
    () => waiting() === 0,
    () => `${waiting()} are waiting`,
  )
  const untold = (): number => {
    const told = new Set(receivedMessages(service.lines()).map(({ messageId }) => messageId))
    return load.sent.filter((id) => !told.has(id)).length
  }
  await until(
    'every message in the stream',
    () => untold() === 0,
    () => `${untold()} missing`,
  )

  const received = receivedMessages(service.lines())
  t.strictSame(repeated(received), [], 'each message once, under one number')
  t.equal(received.length, load.sent.length, 'and one line for each')
  t.equal(new Set(received.map(({ stream }) => stream)).size, 1)
  t.strictSame(devices(), paired, 'the same device')
  t.equal(counts['device.paired'] ?? 0, 0, 'nobody scanned again')
  t.equal(retries, 0, 'none could not be read at first: each key was kept, and came before what needs it')
  t.equal(counts['retry.refused'] ?? 0, 0, 'no message that could not be read in the end')
  t.equal(counts['nack.received 487'] ?? 0, 0, 'none that was read and not kept')

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
  t.strictSame(identity(), before)
  for (const name of readdirSync(dir)) {
    t.notMatch(name, /tmp|partial/)
    if (name !== 'session.lock') t.ok(statSync(join(dir, name)).size > 0, `${name} is not empty`)
  }
  const checked = spawnSync(process.execPath, [CHECK, 'check', accountId, '--sessions', sessionsPath], {
    encoding: 'utf8',
  })
  t.match({ code: checked.status, text: checked.stdout }, { code: 0, text: /is whole/ }, checked.stderr)
  const repeats = (counts['receipt.received'] ?? 0) - retries - load.sent.length
  t.comment(
    `${KILLS} kills, ${load.sent.length} messages (${perSecond} a second), ${retries} retries asked for, ${repeats} messages came again`,
    counts,
  )
})
