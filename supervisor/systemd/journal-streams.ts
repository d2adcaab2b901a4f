import { messageOf } from '../../shared/errors.ts'
import type { Log } from '../../shared/log.ts'
import { loadUnixSockets } from '../../shared/unix-sockets.ts'

/** Opens what becomes stdout and stderr of an account's next process; undefined: it shares the supervisor's. */
export type OpenOutput = (accountId: string) => number | undefined

/**
 * What a worker prints by itself is never wanted: it is the last word of V8, of libc, of Node before the log is there.
 * So it is an error (3) unless it begins with another priority.
 */
const LEVEL = 3
const LEVEL_PREFIX = 1

/**
 * One stream to the journal for each process of an account, so that `journalctl -t ACCOUNT` has its output whatever it
 * dies of. Opening one waits for nothing; where the journal takes none, the supervisor's own output is shared.
 * @param directory of journald's sockets
 */
export async function openJournalStreams(directory: string, log: Log): Promise<OpenOutput> {
  try {
    const sockets = await loadUnixSockets()
    return (accountId) => {
      // identifier, unit, level, level prefix, forward to syslog, to kmsg, to the console
      const head = Buffer.from(`${accountId}\n\n${LEVEL}\n${LEVEL_PREFIX}\n0\n0\n0\n`)
      let fd: number | undefined
      try {
        fd = sockets.connectStream(`${directory}/stdout`, head)
      } catch (error) {
        // No descriptor is left, say: this account's output goes elsewhere, and nobody else's does.
        log.warn({ event: 'journal.stream_failed', accountId, cause: messageOf(error) }, 'No stream to the journal')
      }
      if (fd === undefined) {
        log.warn({ event: 'journal.stream_refused', accountId }, 'What this worker prints goes under the service')
      }
      return fd
    }
  } catch (error) {
    log.warn({ event: 'journal.streams_unavailable', cause: messageOf(error) }, 'What workers print is not told apart')
    return () => undefined
  }
}
