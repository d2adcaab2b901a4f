import { join } from 'node:path'
import t from 'tap'
import { knownPid } from '../../fixtures/known-pid.ts'
import { freePort } from '../../fixtures/firestore-emulator.ts'
import { Journald } from '../../fixtures/journald.ts'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'
import { NotifySocket } from '../../fixtures/notify-socket.ts'
import { pair, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** What systemd and a person with journalctl see of the service: a real journald, a real NOTIFY_SOCKET, told in order. */
await t.test(
  'a service with a journal and somebody to notify',
  { skip: leftOutWithout('root', 'journald', 'socat') },
  async (t) => {
    const root = t.testdir({ sessions: {} })
    const sessionsPath = join(root, 'sessions')
    const journal = await new Journald('service').start()
    t.teardown(() => journal.remove())
    const systemd = await new NotifySocket(`/tmp/notify-${process.pid}`).start()
    t.teardown(() => systemd.stop())
    const simulator = await startSimulator()
    t.teardown(() => simulator.close())
    const port = await freePort()
    const service = new SupervisorProcess({
      sessionsPath,
      env: {
        PORT: String(port),
        WA_SOCKET_URL: simulator.url,
        WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
        LOG_FORMAT: 'journal',
        JOURNAL_SOCKETS: journal.directory,
        NOTIFY_SOCKET: systemd.path,
        WATCHDOG_USEC: '3000000',
      },
    })
    t.teardown(() => service.end('SIGKILL'))

    await systemd.told('READY=1')
    const health = await fetch(`http://127.0.0.1:${port}/health`)
    t.equal(health.status, 200, 'READY is told when the API answers')
    t.equal(systemd.lines[0], 'STATUS=Starting')
    await service.listening()

    const [phoneA = '', phoneB = ''] = testPhones(2)
    const a = await pair(service, simulator, phoneA)
    await systemd.told('STATUS=1/1 connected')
    const added = await service.add(phoneB)
    await systemd.told('STATUS=1/2 connected, 1 needs QR')
    const b = await pair(service, simulator, phoneB)
    t.equal(added.accountId, b)
    await systemd.told('STATUS=2/2 connected')
    const pidOf = async (accountId: string): Promise<number> =>
      knownPid((await service.account(accountId, ({ status }) => status === 'connected')).process.pid)

    await t.test("one account's log by its name, by field, by priority", async (t) => {
      const text = journal.text('-t', a, '--output=cat')
      t.match(text, /^connection.connected: Connection .*status=connected/m)
      t.notMatch(text, b, 'nothing of another account')
      t.notMatch(text, '{"level"', 'text, not JSON')
      const [entry] = journal.entries(`ACCOUNT_ID=${a}`, 'EVENT=connection.connected')
      const pid = String(await pidOf(a))
      t.match(entry, { PRIORITY: '6', SYSLOG_IDENTIFIER: a, STATUS: 'connected', _PID: pid, _TRANSPORT: 'journal' })
    })

    await t.test('what the supervisor says about an account is in both logs', async (t) => {
      const pid = await pidOf(a)
      process.kill(pid, 'SIGKILL')
      await service.account(a, ({ status, process }) => status === 'connected' && process.pid !== pid)
      const matches = ['EVENT=child.exited', `ACCOUNT_ID=${a}`]
      const [exited] = journal.entries(...matches)
      t.match(exited, { PRIORITY: '4', SIGNAL: 'SIGKILL', PID: String(pid), _PID: String(service.pid) })
      t.match(journal.text('-t', a, '-p', 'warning', '--output=cat'), `child.exited: Worker accountId=${a}`)
      t.match(journal.text('-t', 'whatsapp-backend', '-p', 'warning', '--output=cat'), 'child.exited: Worker')
      t.notMatch(journal.text('-t', b, '-p', 'warning', '--output=cat'), 'child.exited')
    })

    await t.test('journald stands still for ten seconds: no socket falls, every message is taken', async (t) => {
      const before = await Promise.all([pidOf(a), pidOf(b)])
      journal.freeze()
      // And eleven messages, however long each takes.
      const endMs = performance.now() + 10_000
      let sent = 0
      while (performance.now() < endMs || sent <= 10) {
        const { id } = await simulator.sendText({ to: phoneA, from: '40799000001', text: `number ${sent++}` })
        await until('a receipt', () => simulator.receiptsOf(id).length > 0)
      }
      t.same(await Promise.all([pidOf(a), pidOf(b)]), before)
      // Something to say about it, for the time after.
      await service.api('POST', `/api/whatsapp/accounts/${b}/pause`)
      await service.account(b, ({ reason }) => reason === 'paused')
      journal.thaw()
      await until('what was said meanwhile', () => journal.entries('EVENT=account.stopped', `ACCOUNT_ID=${b}`)[0])
      await service.api('POST', `/api/whatsapp/accounts/${b}/resume`)
      await pidOf(b)
    })

    await t.test('journald is restarted: what is said afterwards arrives', async (t) => {
      await journal.stop()
      await journal.start()
      const pid = await pidOf(b)
      t.equal((await service.api('POST', `/api/whatsapp/accounts/${a}/restart`)).status, 200)
      const stopped = await until(
        'the old process',
        () => journal.entries('EVENT=account.stopped', `ACCOUNT_ID=${a}`)[0],
      )
      t.match(stopped, { SYSLOG_IDENTIFIER: a })
      t.equal(await pidOf(b), pid, 'a stream that broke harms nobody')
      await pidOf(a)
    })

    await t.test('the watchdog is fed, and the end is told', async (t) => {
      const from = systemd.lines.length
      await systemd.told('WATCHDOG=1', from)
      t.same(await service.end('SIGTERM'), { code: 0, signal: null })
      await systemd.told('STOPPING=1')
      await systemd.told('EXTEND_TIMEOUT_USEC=5000000')
      await systemd.told('STATUS=Stopping: 2 accounts flush')
      for (const accountId of [a, b]) {
        t.match(journal.entries('EVENT=account.stopped', `ACCOUNT_ID=${accountId}`).at(-1), { CODE: '0' }, accountId)
      }
      t.match(journal.text('-t', 'whatsapp-backend', '-n', '1', '--output=cat'), 'shutdown.completed')
      t.same(service.output, [], 'nothing is printed beside the journal')
    })

    t.notMatch(journal.text('--output=json'), /4070000000\d/, 'no phone number is in the journal')
  },
)
