import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { CliProcess, type CliResult } from '../../fixtures/cli.ts'
import { EventReader } from '../../fixtures/event-reader.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { readTerminalQr } from '../../fixtures/qr-reader.ts'
import { SupervisorProcess, TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

interface Transitions {
  transitions: { at: string; status: string; reason: string | null }[]
  next: string | null
}

/** The package's command, and what only the whole service shows of API, events and history: one run, told in order. */
await t.test('from the terminal, and through the whole service', async (t) => {
  const root = t.testdir({ sessions: {} })
  const sessionsPath = join(root, 'sessions')
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, PORT: '0' }
  const start = async (): Promise<SupervisorProcess> => {
    const started = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => started.end('SIGKILL'))
    return started.listening()
  }
  let service = await start()
  const begin = (...args: string[]): CliProcess => {
    const command = new CliProcess([...args, '--url', service.url], {})
    t.teardown(() => command.kill())
    return command
  }
  const run = (...args: string[]): Promise<CliResult> => begin(...args).ended()
  const [first = '', second = ''] = testPhones(2, 40_700_000_601)
  const stream = await EventReader.open(`${service.url}/api/events`, { authorization: `Bearer ${TOKEN}` })
  t.teardown(() => stream.close())

  await t.test('with no account it says what to do', async (t) => {
    t.match(await run('status'), { code: 0, stdout: /No account yet: whatsapp-backend add NAME PHONE/ })
  })

  let one = ''
  await t.test('add draws a QR code that a phone reads from the terminal, and ends when it is connected', async (t) => {
    const command = begin('add', 'Front desk', `+${first}`)
    one = (/^account_\w+/.exec(await command.printed(/^account_\w+ /)) ?? [''])[0]
    await command.printed(/(?:[█▀▄ ]{20,}\n){15,}/u)
    await simulator.scanQr(readTerminalQr(command.stdout), first)
    t.match(await command.ended(), { code: 0, stdout: /Connected\.\n$/ })
    t.notMatch(service.output.join('\n'), /[█▀▄]/u)
  })

  await t.test('the event stream told of all of it', async () => {
    await stream.find('account.qr', ({ qrCode }: { qrCode: string | null }) => qrCode !== null)
    await stream.find<{ account: { status: string } }>(
      'account.status',
      ({ account }) => account.status === 'connected',
    )
    await stream.find('account.qr', ({ qrCode }: { qrCode: string | null }) => qrCode === null)
    await stream.find<{ summary: { connected: number } }>('fleet.event', ({ summary }) => summary.connected === 1)
  })

  await t.test('status: for people, for programs, and by its exit code', async (t) => {
    t.match(await run('status'), { code: 0, stdout: /1 of 1 connected[^]*Front desk +\+407\*{4}01 +connected/ })
    const { code, stdout } = await run('status', one.slice(-6), '--json')
    t.equal(code, 0)
    t.match(JSON.parse(stdout), { summary: { total: 1 }, accounts: [{ accountId: one, status: 'connected' }] })
  })

  let two = ''
  await t.test('a code to type in links as well; a name is enough to mean an account', async (t) => {
    const added = await service.api('POST', '/api/whatsapp/add-accounts', {
      accounts: [
        { name: 'Kitchen', phone: `+${second}` },
        { name: 'Front desk', phone: `+${first}` },
        { name: 'Nobody', phone: '0712' },
      ],
    })
    t.match(added, {
      status: 200,
      body: {
        results: [
          { name: 'Kitchen', outcome: 'added' },
          { accountId: one, outcome: 'exists' },
          { accountId: null, outcome: 'error', error: { code: 'invalid_phone' } },
        ],
      },
    })
    two = (added.body as { results: { accountId: string }[] }).results[0]?.accountId ?? ''
    const quiet = await service.account(two, ({ reason }) => reason === 'not_linked')
    t.equal(quiet.needsQR, true, 'it asks for no code by itself')
    t.match(await run('status'), { code: 1, stdout: /Kitchen[^]*NEEDS QR/ })
    const { code, stdout } = await run('code', 'kitchen')
    t.equal(code, 0)
    await simulator.enterPairingCode(second, stdout.trim().replace('-', ''))
    await service.account(two, ({ status }) => status === 'connected')
    t.match(await run('qr', two), { code: 1, stderr: /is linked and connected/ })
  })

  await t.test('messages, CPU and lines of the log come through the heartbeat', async (t) => {
    await simulator.sendText({ to: second, from: '40799000001', text: 'hello' })
    const seen = await service.account(two, ({ messages, process }) => messages.in === 1 && process.cpuPercent !== null)
    t.ok((seen.process.cpuPercent ?? 0) >= 0)
    const logs = await run('logs', two, '--no-follow', '--json')
    t.equal(logs.code, 0)
    t.match(logs.stderr, `journalctl -t ${two} -f`)
    const lines = logs.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string })
    t.ok(
      lines.some(({ event }) => event === 'connection.connected'),
      "the worker's own",
    )
    t.ok(
      lines.some(({ event }) => event === 'child.spawned'),
      "and the supervisor's about it",
    )
    const followed = begin('logs', two, '--lines', '1')
    await followed.printed(/connection\.connected|\w/)
    t.match(await run('restart', two), { code: 0, stdout: `${two}: restart done` })
    await followed.printed(/child\.exited/)
    await service.account(two, ({ status, restarts24h }) => status === 'connected' && restarts24h === 1)
  })

  await t.test('status --watch goes on with what changes', async (t) => {
    const watch = begin('status', '--watch')
    await watch.printed(/2 of 2 connected/)
    t.match(await run('pause', 'Kitchen', one), { code: 0, stdout: /2 of 2 done/ })
    await watch.printed(new RegExp(`${two} disconnected Kitchen`))
    t.match(await run('resume', '--all', '--json'), { code: 0, stdout: /"failed": 0/ })
    await watch.printed(new RegExp(`${two} connected Kitchen`))
    watch.kill()
  })

  await t.test('what can not be done is said, with an exit code', async (t) => {
    t.match(await run('remove', two), { code: 1, stderr: /Nothing was removed/ })
    t.match(await run('restart', 'nobody'), { code: 1, stderr: /no account "nobody"/ })
    t.match(await run('logout', two), { code: 1, stderr: /Nothing was logged out/ })
    // Each is a process of its own: all at once.
    const usage = [
      ['fly'],
      ['add', 'x'],
      ['status', '--yes'],
      ['pause'],
      ['status', '--nonsense'],
      ['logs', 'x', '--lines', '0'],
      ['logout', '', '--yes'],
      ['pause', two, ' '],
      ['restart', two, '--all'],
    ]
    const refused = await Promise.all(usage.map((args) => run(...args)))
    for (const [index, result] of refused.entries()) t.match(result, { code: 64, stderr: /Usage:/ }, `usage ${index}`)
    t.match(await new CliProcess(['status'], { PORT: '1' }).ended(), { code: 69, stderr: /does not answer/ })
    const wrong = join(root, 'token')
    writeFileSync(wrong, 'wrong\n')
    t.match(await run('status', '--token-file', wrong), { code: 78, stderr: /refuses the token/ })
    const json = await run('status', '--json', '--token-file', wrong)
    t.match(JSON.parse(json.stdout), { success: false, error: { code: 'unauthorized' } })
    mkdirSync(join(root, 'empty'))
    const lost = new CliProcess(['status'], { ADMIN_TOKEN: '', SESSIONS_PATH: join(root, 'empty') })
    t.match(await lost.ended(), { code: 78, stderr: /no token to ask the service with/ })
  })

  await t.test('the history outlives the service, and says when it was down', async (t) => {
    t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
    await until('the stream to end', () => stream.ended)
    service = await start()
    await service.connected(2)
    const path = `/api/whatsapp/accounts/${two}/history`
    const all = (await service.api('GET', path)).body as Transitions
    const told = all.transitions.map(({ status, reason }) => reason ?? status)
    t.equal(told[0], 'connected')
    t.ok(told.includes('not_running'), told.join())
    t.ok(told.includes('paused'))
    t.ok(told.includes('not_linked'))
    const paged: Transitions['transitions'] = []
    for (let next: string | null = ''; next !== null;) {
      const query: string = next === '' ? '?limit=3' : `?limit=3&before=${next}`
      const page = (await service.api('GET', path + query)).body as Transitions
      paged.push(...page.transitions)
      next = page.next
    }
    t.strictSame(paged, all.transitions, 'page by page it is the same')
    const pictures = (await service.api('GET', '/api/whatsapp/history')).body as {
      accounts: { segments: { status: string }[] }[]
      connected: { count: number | null }[]
    }
    t.equal(pictures.accounts.length, 2)
    t.ok(pictures.accounts.every(({ segments }) => segments.length > 0))
    t.equal(pictures.connected.length, 288)
  })

  await t.test('removed from the terminal', async (t) => {
    t.match(await run('logout', one, '--yes'), { code: 0 })
    t.match(await run('remove', one, two, '--yes'), { code: 0, stdout: /2 of 2 done/ })
    t.equal((await service.dashboard()).accounts.length, 0)
  })
  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
