import { until } from '../fixtures/until.ts'
import type { Scene } from './acceptance-command.ts'
import { expect, expectEqual } from './checks.ts'
import { VOLUME } from './installation.ts'

/** Everything that ends the service, and that no session is lost by it. */
export async function seeEnds({ checks, container, service, simulator, accounts }: Scene): Promise<void> {
  const mainPid = async (): Promise<string> => {
    const pid = await service.show('MainPID')
    expect(Number(pid) > 1, `the service does not run: MainPID ${pid}`)
    return pid
  }
  const devices = (): string =>
    JSON.stringify(simulator.phones().map(({ phone, devices }) => [phone, devices.map(({ deviceId }) => deviceId)]))
  const paired = devices()
  /** All are connected again, with the devices that they were paired with, and nobody showed a QR code or met another. */
  const expectAllBack = async (mark: string): Promise<void> => {
    await service.connected(accounts.length)
    expectEqual(devices(), paired, 'the linked devices')
    for (const bad of ['EVENT=connection.needs_qr', 'REASON=replaced', 'REASON=session_damaged']) {
      expectEqual(await service.journal(mark, bad, '-o', 'cat'), '', bad)
    }
    const workers = await service.workers()
    expectEqual([...workers.keys()].sort(), [...accounts].sort(), 'accounts with a worker')
    expect(
      [...workers.values()].every(({ length }) => length === 1),
      `two processes: ${JSON.stringify([...workers])}`,
    )
  }
  const expectFlushed = async (mark: string): Promise<void> => {
    const flushed = await service.accountsIn(mark, 'EVENT=account.stopped', 'CODE=0')
    for (const accountId of accounts.filter((accountId) => !flushed.has(accountId))) {
      const last = await service.journal('-t', accountId, '-n', '8', '-o', 'short-precise')
      throw new Error(`${accountId} did not flush. Its last words:\n${last}`)
    }
  }
  /** The state of the service is another one than before, and it runs. */
  const restarted = async (pid: string): Promise<void> => {
    await service.becomes('MainPID', (value) => value !== '0' && value !== pid)
    await service.becomes('ActiveState', (value) => value === 'active')
  }

  await checks.see('systemctl stop: every session is whole', async () => {
    const mark = await service.mark()
    const startedMs = performance.now()
    await container.must('systemctl', 'stop', 'whatsapp-backend')
    const seconds = (performance.now() - startedMs) / 1000
    // In time as well: what does not end within SHUTDOWN_TIMEOUT_MS (10 s) is killed, and the result is another one then.
    expectEqual(await service.show('Result'), 'success', 'the result')
    await expectFlushed(mark)
    const check = `set -e; for id in ${accounts.join(' ')}; do /opt/whatsapp-backend/current/systemd/command.sh session check "$id" --linked; done`
    await container.must('bash', '-c', check)
    await container.must('systemctl', 'start', 'whatsapp-backend')
    await expectAllBack(mark)
    return `stopped in ${seconds.toFixed(1)} s`
  })

  await checks.see(
    'kill -9 of the supervisor: workers flush, it comes back, nobody scans, no second process',
    async () => {
      const mark = await service.mark()
      const pid = await mainPid()
      await container.must('kill', '-9', pid)
      await restarted(pid)
      await expectFlushed(mark)
      await expectAllBack(mark)
    },
  )

  await checks.see('a supervisor that stands still: the watchdog ends it, workers flush, all come back', async () => {
    const mark = await service.mark()
    const pid = await mainPid()
    await container.must('kill', '-STOP', pid)
    await restarted(pid)
    const said = await service.journal(mark, '-o', 'cat', '_PID=1')
    expect(/Watchdog timeout/i.test(said), said.slice(0, 500))
    await expectFlushed(mark)
    await expectAllBack(mark)
  })

  await checks.see(
    'the volume goes away: the service stops, and nothing is written below the mount point',
    async () => {
      const mark = await service.mark()
      await container.must('umount', '-l', VOLUME)
      await service.becomes('ActiveState', (value) => value === 'inactive')
      await expectFlushed(mark)
      expectEqual(
        await container.must('find', VOLUME, '-printf', '%p %u %m\n'),
        `${VOLUME} root 755\n`,
        'the mount point',
      )
    },
  )

  await checks.see('the volume is back: the service starts by itself, and nobody scans', async () => {
    const mark = await service.mark()
    await container.must('mount', VOLUME)
    await service.becomes('ActiveState', (value) => value === 'active')
    await expectAllBack(mark)
  })

  await checks.see(
    'bad configuration: failed once with 78, not again and again, and the log says what it is',
    async () => {
      const mark = await service.mark()
      const environment = '/etc/whatsapp-backend/environment'
      await container.must('cp', environment, '/tmp/environment')
      await container.must('bash', '-c', `echo PORT=http >>${environment}`)
      await container.run('systemctl', 'restart', 'whatsapp-backend')
      await service.becomes('ActiveState', (value) => value === 'failed')
      expectEqual(await service.show('ExecMainStatus'), '78', 'the exit status')
      const said = await until('the error', async () => {
        const text = await service.journal(mark, '-t', 'whatsapp-backend', '-p', 'err', '-o', 'cat')
        return text.includes('PORT is "http"') && text
      })
      expectEqual(await service.show('NRestarts'), '0', 'restarts')
      await container.must('cp', '/tmp/environment', environment)
      await container.must('systemctl', 'start', 'whatsapp-backend')
      await expectAllBack(mark)
      return said.trim().split('\n')[0] ?? ''
    },
  )

  await checks.see('the machine reboots: all come back without a person', async () => {
    const mark = await service.mark()
    await container.powerOff()
    await container.boot()
    await service.becomes('ActiveState', (value) => value === 'active')
    await expectFlushed(mark)
    await expectAllBack(mark)
  })
}
