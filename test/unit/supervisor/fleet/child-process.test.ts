import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { forkWorker, workerEnvironment } from '../../../../supervisor/fleet/child-process.ts'

t.test('a worker sees nothing of the secrets of the service and of the sockets of systemd', async (t) => {
  const env = {
    PATH: '/bin',
    TZ: 'UTC',
    HOME: undefined,
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    ADMIN_TOKEN: 'x',
    GOOGLE_APPLICATION_CREDENTIALS: 'x',
    NOTIFY_SOCKET: 'x',
    WATCHDOG_USEC: 'x',
    WATCHDOG_PID: 'x',
    NODE_OPTIONS: '--inspect',
    NODE_CHANNEL_FD: '3',
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  }
  t.strictSame(workerEnvironment(env), { PATH: '/bin', TZ: 'UTC', NODE_EXTRA_CA_CERTS: '/ca.pem' })
})

t.test('the last words of a worker are heard before its end, also by a supervisor that has much to do', async (t) => {
  const COUNT = 200
  const dir = t.testdir({
    'worker.cjs': `
      let sent = 0
      for (let word = 0; word < ${COUNT}; word++)
        process.send({ type: 'stopped' }, () => ++sent === ${COUNT} && process.exit(0))`,
  })
  const command = { entry: join(dir, 'worker.cjs'), args: [], execArgv: [], env: workerEnvironment(process.env) }
  let heard = 0
  const ended = new Promise((resolve) => {
    const worker = forkWorker(command, 'a', () => heard++, resolve)
    // Nothing is read until the process is gone.
    const endMs = performance.now() + 120_000
    while (isRunning(worker.pid ?? 0)) {
      if (performance.now() > endMs) throw new Error('It did not end in two minutes.')
    }
  })
  t.match(await ended, { code: 0 })
  t.equal(heard, COUNT)
})

/** Of a child that nobody has waited for yet: it stays in the list as a zombie. */
function isRunning(pid: number): boolean {
  return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
}
