import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, rmdirSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { errnoOf } from '../../../shared/errors.ts'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** A disk that is really full takes a mount, and that takes root. The store's own tests fail writes without it. */
const skip = leftOutWithout('root')

t.test('a full disk: nothing is acknowledged that is not kept, and all returns by itself', { skip }, async (t) => {
  const disk = mkdtempSync(join(tmpdir(), 'small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2M', 'tmpfs', disk])
  t.teardown(() => {
    execFileSync('umount', ['--lazy', disk])
    rmdirSync(disk)
  })
  const sessionsPath = join(disk, 'sessions')
  mkdirSync(sessionsPath)
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey }
  const start = (): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  let service = await start()
  const [busyPhone = '', quietPhone = '', newPhone = ''] = testPhones(3)
  const busy = await pair(service, simulator, busyPhone)
  await pair(service, simulator, quietPhone)
  await service.connected(2)

  const filler = fill(join(disk, 'filler'))
  // People who never wrote before, all at once: of each, the first thing that has to be kept is who it is.
  const mark = simulator.mark()
  const strangers = testPhones(20, 49_151_000_001)
  const sent = await Promise.all(strangers.map((from) => simulator.sendText({ to: busyPhone, from, text: 'hello' })))
  const messages = sent.map(({ id }) => id)
  const full = await service.account(busy, ({ reason }) => reason === 'storage_full')
  t.equal(full.status, 'disconnected')
  t.match(full.detail, 'Make room')
  t.ok(
    messages.some((id) => simulator.receiptsOf(id).length === 0),
    'what could not be kept was not acknowledged',
  )
  // WhatsApp forgets what a device refuses just as what it confirms.
  t.same(
    simulator.events(mark).filter(({ type }) => type === 'nack.received'),
    [],
    'nor refused',
  )
  const refused = await service.api('POST', '/api/whatsapp/add-account', { name: 'new', phone: `+${newPhone}` })
  t.match(refused, { status: 503, body: { error: { code: 'storage_unavailable', message: 'full' } } })
  t.equal((await service.dashboard()).accounts.length, 2, 'and nothing is left of it')

  await service.end('SIGTERM')
  service = await start()
  t.equal((await service.api('GET', '/health')).status, 503, 'a restart on a full disk comes up, and says so')

  closeSync(filler)
  unlinkSync(join(disk, 'filler'))
  await service.connected(2)
  await until('every message to be delivered', () => messages.every((id) => simulator.receiptsOf(id).length > 0))
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})

/** Takes all the room that there is; the file stays open. */
function fill(path: string): number {
  const file = openSync(path, 'w')
  try {
    for (;;) writeSync(file, Buffer.alloc(4096))
  } catch (error) {
    if (errnoOf(error) !== 'ENOSPC') throw error
    return file
  }
}
