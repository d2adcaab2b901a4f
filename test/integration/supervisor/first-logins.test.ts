import t from 'tap'
import { addWithQr, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { GATE_LIMITS } from '../../../supervisor/core/connect-gate.ts'

const COUNT = 5

t.test('phones that scan at once log in two at a time, each with 812 keys and a history', async (t) => {
  const history = { chats: 20, messagesPerChat: 100 }
  const simulator = await startSimulator({ reportedPreKeys: 'real', history })
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath: t.testdir(),
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const phones = testPhones(COUNT)
  const codes = await Promise.all(phones.map((phone) => addWithQr(service, phone)))
  await Promise.all(codes.map(({ qrText }, at) => simulator.scanQr(qrText, phones[at] ?? '')))
  await service.connected(COUNT)
  const events = simulator.events()
  const onlineMs = events.flatMap((event) => (event.type === 'device.online' ? [event.atMs] : []))
  t.equal(onlineMs.length, COUNT)
  // The last of the first two settles before the next two come, and so on.
  for (const [at, ms] of onlineMs.slice(2).entries()) {
    t.ok(
      ms - (onlineMs[at] ?? 0) >= GATE_LIMITS.firstLoginSettleMs - 50,
      `login ${at + 3} after ${ms - (onlineMs[at] ?? 0)} ms`,
    )
  }
  const keys = events.flatMap((event) => (event.type === 'prekeys.uploaded' ? [event.count] : []))
  t.strictSame(
    keys,
    phones.map(() => 812),
  )
  t.match(await service.end('SIGTERM'), { code: 0 })
})
