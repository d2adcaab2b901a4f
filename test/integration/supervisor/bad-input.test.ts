import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { startSimulator } from '../../simulator/simulator.ts'

t.test('prints every configuration error at once and exits 78', async (t) => {
  const service = new SupervisorProcess({
    sessionsPath: t.testdir(),
    env: { PORT: '80a', MAX_ACCOUNTS: '0', WA_SOCKET_URL: 'ws://example.org/ws', MAX_ACOUNTS: '7' },
  })
  t.equal(await service.exited(), 78)
  const text = service.output.join('\n')
  for (const word of ['"80a"', 'MAX_ACCOUNTS is "0"', 'ws://example.org/ws', 'did you mean MAX_ACCOUNTS?']) {
    t.match(text, word)
  }
  t.notMatch(text, /\n\s+at /, 'no stack')
})

t.test('refuses arguments, which it would not heed, and repeats no secret of them', async (t) => {
  const service = new SupervisorProcess({ sessionsPath: t.testdir(), argv: ['--admin-token=hunter2', '--port'] })
  t.equal(await service.exited(), 78)
  t.match(service.tail(), '"--admin-token=..." is not understood: settings are environment variables')
  t.notMatch(service.tail(), 'hunter2')
})

t.test('says that a port is taken, and by which setting to change it', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const address = other.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const service = new SupervisorProcess({ sessionsPath: t.testdir(), env: { PORT: String(port) } })
  t.equal(await service.exited(), 69)
  t.match(service.tail(), `PORT ${port} on 127.0.0.1 is taken by another program`)
  t.notMatch(service.tail(), /\n\s+at /, 'no stack')
})

t.test('refuses a sessions path that can not hold sessions, with exit code 78', async (t) => {
  const dir = t.testdir({ file: 'not a directory' })
  const service = new SupervisorProcess({ sessionsPath: join(dir, 'file') })
  t.equal(await service.exited(), 78)
  t.match(service.tail(), join(dir, 'file'))
  t.match(service.tail(), 'SESSIONS_PATH')
})

t.test(
  'refuses a token that can be guessed where a proxy lets others in, also one that lies in its file',
  async (t) => {
    const sessionsPath = t.testdir({ 'admin-token': 'hunter2' })
    const service = new SupervisorProcess({ sessionsPath, env: { ADMIN_TOKEN: '', TRUSTED_PROXIES: '127.0.0.1' } })
    t.equal(await service.exited(), 78)
    t.match(service.tail(), 'has 7 characters')
    t.notMatch(service.tail(), 'hunter2')
  },
)

t.test('refuses to run twice on the same sessions', async (t) => {
  const sessionsPath = t.testdir()
  const first = new SupervisorProcess({ sessionsPath })
  t.teardown(() => first.end('SIGKILL'))
  await first.listening()
  const second = new SupervisorProcess({ sessionsPath })
  t.equal(await second.exited(), 69)
  t.match(second.tail(), String(first.pid), 'it names the process that runs')
  t.equal((await first.api('GET', '/health')).status, 200, 'the first one did not notice')
})

t.test('a volume that is not mounted is an error, not a new directory', async (t) => {
  const dir = t.testdir()
  const service = new SupervisorProcess({
    sessionsPath: '',
    env: { HETZNER_SESSIONS_PATH: join(dir, 'volume') },
  })
  t.equal(await service.exited(), 78)
  t.match(service.tail(), 'is the volume mounted?')
})

t.test('makes a token on the first start, shows its place and not itself, and keeps it', async (t) => {
  const sessionsPath = t.testdir()
  const service = new SupervisorProcess({ sessionsPath, env: { ADMIN_TOKEN: '' } })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const path = join(sessionsPath, 'admin-token')
  const token = readFileSync(path, 'utf8').trim()
  t.equal((await service.api('GET', '/api/status/dashboard', undefined, token)).status, 200)
  await service.end('SIGTERM')
  t.match(service.output.join('\n'), `one was made and is kept in ${path}`)
  t.notMatch(service.output.join('\n'), '#login=', 'a log gets no way in')
  t.notMatch(service.output.join('\n'), token)
  const again = new SupervisorProcess({ sessionsPath, env: { ADMIN_TOKEN: '' } })
  t.teardown(() => again.end('SIGKILL'))
  await again.listening()
  t.equal(readFileSync(path, 'utf8').trim(), token)
  t.notMatch(again.output.join('\n'), /#login=|was made/, 'nor a second time')
})

t.test('damaged and foreign sessions are shown as such, their files kept, and the others connect', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey }
  const first = new SupervisorProcess({ sessionsPath, env })
  t.teardown(() => first.end('SIGKILL'))
  await first.listening()
  const [phone = ''] = testPhones(1)
  const healthy = await pair(first, simulator, phone)
  await first.connected(1)
  await first.end('SIGTERM')

  const broken: Record<string, string> = { empty: '', truncated: '{"noiseKey":{"private":', text: 'hello', json: '{}' }
  for (const [name, content] of Object.entries(broken)) {
    mkdirSync(join(sessionsPath, name))
    writeFileSync(join(sessionsPath, name, 'creds.json'), content)
  }
  mkdirSync(join(sessionsPath, 'held'))
  writeFileSync(join(sessionsPath, 'held', 'creds.json'), readFileSync(join(sessionsPath, healthy, 'creds.json')))
  const hold = ['sh', '-c', 'echo held; exec sleep 600']
  const holder = spawn('flock', ['--exclusive', '--no-fork', join(sessionsPath, 'held', 'lock'), ...hold])
  t.teardown(() => holder.kill('SIGKILL'))
  await once(holder.stdout, 'data')

  const service = new SupervisorProcess({ sessionsPath, env })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  await service.account(healthy, ({ status }) => status === 'connected')
  for (const name of Object.keys(broken)) {
    const account = await service.account(name, ({ process }) => process.state === 'given_up')
    t.equal(account.status, 'disconnected', name)
    t.equal(account.reason, 'session_damaged', name)
    t.match(account.detail, 'creds.json', 'names the file')
    t.equal(account.needsPerson, true)
    t.equal(readFileSync(join(sessionsPath, name, 'creds.json'), 'utf8'), broken[name], 'the file is as it was')
  }
  const held = await service.account('held', ({ reason }) => reason === 'session_locked')
  t.equal(held.status, 'disconnected')
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
