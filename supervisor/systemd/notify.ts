import type { Clock } from '../../shared/clock.ts'
import { DatagramQueue } from '../../shared/datagram-queue.ts'
import { loadUnixSockets } from '../../shared/unix-sockets.ts'

/** sd_notify(3): what the service says to systemd. */
export interface Notify {
  /** @param variables such as READY: '1'; values have no newline */
  send(variables: Readonly<Record<string, string>>): void
  /** The last words of a process, with a moment for systemd to take them. */
  flushSync(): void
}

/** systemd takes them at once; where it does not, only the latest matter. */
const LIMITS = { mostDatagrams: 64, mostBytes: 64 * 1024 }
const FLUSH_MS = 200

/** @param path NOTIFY_SOCKET */
export async function openNotify(path: string, clock: Clock): Promise<Notify> {
  const queue = new DatagramQueue({ sockets: await loadUnixSockets(), path, limits: LIMITS, clock })
  return {
    send(variables) {
      const lines = Object.entries(variables).map(([name, value]) => `${name}=${value.replaceAll('\n', ' ')}`)
      queue.send(Buffer.from(`${lines.join('\n')}\n`))
    },
    flushSync: () => queue.flushSync(FLUSH_MS),
  }
}
