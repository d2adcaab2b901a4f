import t from 'tap'
import { workerEnvironment } from '../../../../supervisor/fleet/child-process.ts'

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
