import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'
import { knownPid } from '../../fixtures/known-pid.ts'
import { makeCodeCache } from '../../../shared/make-code-cache.ts'
import { BUNDLE_ENVIRONMENT, BUNDLE_FILES, BUNDLE_FLAGS } from '../../../shared/worker-process.ts'
import { buildBundle } from '../../../worker/bundle/build.ts'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator, type Simulator } from '../../simulator/simulator.ts'

/** What a start of the service needs of an installation, besides node_modules. */
const INSTALLED = ['package.json', 'supervisor/dashboard', 'dist/supervisor', 'dist/worker', 'dist/shared']
const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

await t.test('accounts live in bundled workers', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  // An installation of its own, within the project so that node_modules is found: other tests run the one that is there.
  const root = t.testdir({ sessions: {} })
  const sessionsPath = join(root, 'sessions')
  for (const path of INSTALLED) cpSync(join(ROOT, path), join(root, path), { recursive: true })
  const bundleDir = join(root, 'dist', 'bundle')
  mkdirSync(bundleDir)
  await buildBundle(bundleDir)
  const [loader, cache] = [join(bundleDir, BUNDLE_FILES.loader), join(bundleDir, BUNDLE_FILES.codeCache)]
  const [phone = ''] = testPhones(1)
  const start = async (): Promise<SupervisorProcess> => {
    const service = new SupervisorProcess({
      sessionsPath,
      entry: pathToFileURL(join(root, 'dist', 'supervisor', 'main.js')),
      env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, WORKER_BUNDLE: 'on' },
    })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  let service = await start()

  await t.test('the code cache is made when there is none, and the account pairs', async (t) => {
    t.match(await service.logged('worker.bundled'), { codeCache: cache, result: 'made', entry: loader })
    const accountId = await pair(service, simulator, phone)
    const { process } = await service.account(accountId, ({ status }) => status === 'connected')
    const commandLine = readFileSync(`/proc/${process.pid}/cmdline`, 'utf8').split('\0')
    t.strictSame(commandLine.slice(1, -1), [...BUNDLE_FLAGS, loader, accountId, cache])
    const environment = readFileSync(`/proc/${process.pid}/environ`, 'utf8').split('\0')
    t.ok(environment.includes('MALLOC_ARENA_MAX=1'))
  })

  await t.test('after a restart it connects under that cache, and messages come', async (t) => {
    t.strictSame(await service.end('SIGTERM'), { code: 0, signal: null })
    service = await start()
    t.match(await service.logged('worker.bundled'), { codeCache: cache, result: 'valid' })
    const [account] = await service.connected(1)
    const { id } = await simulator.sendText({ to: phone, from: '40798765432', text: 'hello' })
    await service.account(account?.accountId ?? '', ({ lastMessageAt }) => lastMessageAt !== null)
    await until('the receipt', () => simulator.receiptsOf(id).length > 0)
    t.equal(
      service.lines().find(({ event }) => event === 'code_cache.unused'),
      undefined,
    )
  })

  await t.test('messages in a group come, and one that its writer has not signed is asked for again', async (t) => {
    const mark = simulator.mark()
    const send = async (text: string): Promise<string> =>
      (await simulator.sendGroupText({ to: phone, from: '40798765432', group: '120363000000000001', text })).id
    const ids = [await send('one'), await send('two')]
    simulator.inject({ kind: 'forge_group_message', phone, times: 1 })
    ids.push(await send('three'))
    const delivered = (id: string): boolean => simulator.receiptsOf(id).some(({ type }) => type !== 'retry')
    await until('all receipts', () => ids.every(delivered))
    const retried = simulator.events(mark).flatMap((event) => (event.type === 'retry.served' ? event.messageId : []))
    t.strictSame(retried, ids.slice(2), 'what was signed was read at once')
  })

  await t.test('a cache that was damaged under the running service is made anew, and no start fails', async (t) => {
    const bytes = readFileSync(cache)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff
    writeFileSync(cache, bytes)
    const [account] = await service.connected(1)
    process.kill(knownPid(account?.process.pid), 'SIGKILL')
    t.match(await service.logged('code_cache.unused'), { cause: /damaged/ })
    await service.account(
      account?.accountId ?? '',
      ({ status, process: { pid } }) => status === 'connected' && pid !== account?.process.pid,
    )
    await until('the cache to be made', () =>
      service.lines().some(({ event, result }) => event === 'worker.bundled' && result === 'made'),
    )
    t.not(service.lines().find(({ event }) => event === 'child.exited')?.['code'], 70)
  })

  await t.test('where the installation takes no file the cache is beside the sessions', async (t) => {
    await service.end('SIGTERM')
    rmSync(cache)
    // What can't be replaced by a file, also for root.
    mkdirSync(join(cache, 'in the way'), { recursive: true })
    t.teardown(() => rmSync(cache, { recursive: true }))
    service = await start()
    t.match(await service.logged('worker.bundled'), {
      codeCache: join(sessionsPath, '.code-cache', BUNDLE_FILES.codeCache),
      result: 'made',
    })
    await service.connected(1)
    await service.end('SIGTERM')
  })

  await t.test('where no place takes a file there is none, until one does', async (t) => {
    const own = join(sessionsPath, '.code-cache')
    rmSync(own, { recursive: true })
    writeFileSync(own, '')
    mkdirSync(join(cache, 'in the way'), { recursive: true })
    t.teardown(() => rmSync(cache, { recursive: true, force: true }))
    service = await start()
    t.match(await service.logged('worker.bundled'), { level: 'warn', codeCache: null })
    const [account] = await service.connected(1)
    rmSync(cache, { recursive: true })
    process.kill(knownPid(account?.process.pid), 'SIGKILL')
    await until('the cache to be made', () =>
      service.lines().some(({ event, result }) => event === 'worker.bundled' && result === 'made'),
    )
    await service.end('SIGTERM')
  })

  await t.test('without any place for it workers start all the same', async (t) => {
    rmSync(join(sessionsPath, '.code-cache'), { recursive: true })
    writeFileSync(join(sessionsPath, '.code-cache'), 'in the way')
    mkdirSync(join(cache, 'in the way'), { recursive: true })
    t.teardown(() => rmSync(cache, { recursive: true }))
    service = await start()
    t.match(await service.logged('worker.bundled'), { codeCache: null, level: 'warn' })
    await service.connected(1)
  })
})

await t.test('what Baileys does seldom works in a bundle under its code cache', async (t) => {
  const simulator = await startSimulator({ media: true })
  t.teardown(() => simulator.close())
  // Inside of the package: what is not in the bundle is looked for from there.
  const dir = t.testdir()
  await buildBundle(dir, fileURLToPath(new URL('fixtures/upload-program.js', import.meta.url)))
  const [loader, cache] = [join(dir, BUNDLE_FILES.loader), join(dir, BUNDLE_FILES.codeCache)]
  t.match(await makeCodeCache(loader, cache), { result: 'made' })
  t.match(await makeCodeCache(loader, cache), { result: 'valid' })
  const said = await runUpload(simulator, loader, cache, join(dir, 'session'), (end) => t.teardown(end))
  t.equal(
    said.find((message) => 'type' in message),
    undefined,
    'the code cache was used',
  )
  const sent = said.find((message) => 'sent' in message)
  t.match(sent, { sent: { directPath: /^\/mms\/image\//, sizeBytes: 70 } }, JSON.stringify(said.at(-1)))
  const [upload] = simulator.events().filter(({ type }) => type === 'media.uploaded')
  // 70 bytes fill five blocks of AES, and ten bytes of a MAC follow.
  t.match(upload, { sizeBytes: 90 })
  const { stack } = said.find((message) => 'stack' in message) as { stack: string }
  t.match(stack, /test\/integration\/worker\/fixtures\/upload-program\.ts:\d+:\d+/, 'a stack names our lines')
  t.match(stack, /where am I/)
})

/** Resolves with all that the program said, when it has sent its picture or could not. */
async function runUpload(
  simulator: Simulator,
  loader: string,
  cache: string,
  session: string,
  teardown: (end: () => Promise<void>) => void,
): Promise<Record<string, unknown>[]> {
  const argv = ['upload', cache, simulator.url, simulator.noiseRootKey, session, simulator.mediaCertificate ?? '']
  const child = fork(loader, argv, { execArgv: [...BUNDLE_FLAGS], env: { ...BUNDLE_ENVIRONMENT } })
  const exit = once(child, 'exit')
  teardown(async () => {
    child.kill('SIGKILL')
    await exit
  })
  const said: Record<string, unknown>[] = []
  child.on('message', (message: Record<string, unknown>) => {
    said.push(message)
    if (typeof message['qr'] === 'string') void simulator.scanQr(message['qr'])
  })
  await until(
    'the upload',
    () => child.exitCode !== null || said.some((message) => 'sent' in message || 'failed' in message),
    () => JSON.stringify(said),
  )
  return said
}
