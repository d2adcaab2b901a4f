import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import tap from 'tap'
import type { Fault } from '../../simulator/faults.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { clientFor, simulatorFor, tameBaileys, type TestScope } from './baileys-client.ts'

// Faults that a client notices only as time passes: Baileys gives a silent server its keep-alive interval and 5 s more.
// They share a simulator and run at the same time, each on a phone of its own.

tameBaileys()

const FIXTURE = join(import.meta.dirname, 'fixtures', 'client-program.js')
const TRUST_ROOT = pathToFileURL(join(import.meta.dirname, '..', '..', 'simulator', 'trust-root.js')).href
const CONFIG = { keepAliveIntervalMs: 300, connectTimeoutMs: 15_000, defaultQueryTimeoutMs: 1_500 }

const [SILENT, NO_SUCCESS, NO_PINGS, NO_KEYS, FROZEN, CORRUPT, UNPARSABLE] = [
  '40712340001',
  '40712340002',
  '40712340003',
  '40712340004',
  '40712340005',
  '40712340006',
  '40712340007',
] as const

await tap.test('faults that only time reveals', async (t) => {
  const simulator = await simulatorFor(t)

  async function closesWith(phone: string, fault: Fault, status: number): Promise<void> {
    const client = clientFor(t, simulator, CONFIG, phone)
    await client.pair(simulator, phone)
    const atLogin = fault.kind === 'no_success'
    if (atLogin) await client.stop()
    simulator.inject(fault)
    if (atLogin) {
      client.forget()
      await client.connect()
    }
    t.equal(await client.closed(30_000), status, fault.kind)
    simulator
      .faults()
      .find((handle) => handle.fault === fault)
      ?.clear()
    await client.reconnect()
  }

  async function opensLate(): Promise<void> {
    const client = clientFor(t, simulator, CONFIG, NO_KEYS)
    await client.pair(simulator, NO_KEYS)
    await client.stop()
    const handle = simulator.inject({ kind: 'ignore_encrypt', phone: NO_KEYS, times: 'until_cleared' })
    await client.reconnect()
    t.ok(handle.hits >= 2, 'opens without answers about keys, once the queries have timed out')
  }

  /** Baileys closes the WebSocket and waits 30 s for the answer of a peer that reads nothing. */
  async function staysOpenWhileFrozen(): Promise<void> {
    // Before it misses its own pings the connection has been cut.
    const client = clientFor(t, simulator, { ...CONFIG, keepAliveIntervalMs: 30_000 }, FROZEN)
    await client.pair(simulator, FROZEN)
    simulator.inject({ kind: 'freeze', phone: FROZEN })
    const sent = client.socket.sendMessage('40798765432@s.whatsapp.net', { text: 'nobody reads this' })
    await t.rejects(client.closed(1_000), /waited 1000 ms for close/)
    await sent.catch(() => undefined)
    t.strictSame(simulator.sentBy(FROZEN), [])
    simulator.dropAll(FROZEN)
    t.equal(await client.closed(), 428, 'freeze')
  }

  await Promise.all([
    closesWith(SILENT, { kind: 'silence', phone: SILENT }, 408),
    closesWith(NO_SUCCESS, { kind: 'no_success', phone: NO_SUCCESS }, 408),
    closesWith(NO_PINGS, { kind: 'ignore_pings', phone: NO_PINGS, times: 'until_cleared' }, 408),
    opensLate(),
    staysOpenWhileFrozen(),
    rejectsUnawaited(t, simulator, CORRUPT, 'corrupt_frame', ['open', 'rejection', 'close 408']),
    rejectsUnawaited(t, simulator, UNPARSABLE, 'unparsable_node', ['open', 'rejection', 'close 428']),
  ])
})

/** In a program of its own, for the rejection would end this one. */
async function rejectsUnawaited(
  t: TestScope & Pick<typeof tap, 'strictSame'>,
  simulator: Simulator,
  phone: string,
  kind: 'corrupt_frame' | 'unparsable_node',
  expected: readonly string[],
): Promise<void> {
  const client = clientFor(t, simulator, CONFIG, phone)
  await client.pair(simulator, phone)
  await client.stop()
  const child = fork(FIXTURE, [simulator.url, client.directory], {
    silent: true,
    execArgv: ['--import', TRUST_ROOT],
    env: { SIMULATOR_ROOT_KEY: simulator.noiseRootKey },
  })
  t.teardown(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const lines: string[] = []
  for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
    lines.push(line)
    if (line === 'open') simulator.inject({ kind, phone })
    // The connection survives an unparsable node: end it, to see that.
    if (line === 'rejection' && kind === 'unparsable_node') simulator.inject({ kind: 'drop', phone })
  }
  await exited
  t.strictSame(lines, [`trusts ${simulator.noiseRootKey}`, ...expected], kind)
}
