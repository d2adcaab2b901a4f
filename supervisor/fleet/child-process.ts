import { fork, type ChildProcess } from 'node:child_process'
import { closeSync } from 'node:fs'
import { parseFromWorker, type FromWorker, type ToWorker } from '../../shared/ipc.ts'

/** How a process ended; `code` and `signal` are both null when it could not even be started. */
export interface ProcessEnd {
  code: number | null
  signal: NodeJS.Signals | null
  error?: Error
}

/** One forked worker: its channel and its end. Knows nothing of accounts. */
export interface WorkerProcess {
  /** Undefined when the fork failed; `onEnd` tells why. */
  readonly pid: number | undefined
  /** Hands the message to the channel. A channel that is gone is no error: the end of the process is its own event. */
  send(message: ToWorker): void
  /** SIGKILL. Workers ignore every signal that could be ignored. */
  kill(): void
}

export interface WorkerCommand {
  /** Path of the compiled entry, or of the bundle's loader. */
  entry: string
  /** Behind the account's id. */
  args: readonly string[]
  execArgv: readonly string[]
  /** The whole environment of the process: nothing is inherited. */
  env: Readonly<Record<string, string>>
  /** Opens its stdout and stderr; where that is undefined, it has this process's own. */
  openOutput?: ((accountId: string) => number | undefined) | undefined
}

/** Starts a worker. The account is an argument only for whoever looks at the list of processes. `onEnd` is called exactly once, after the last `onMessage`. */
export function forkWorker(
  command: WorkerCommand,
  accountId: string,
  onMessage: (message: FromWorker) => void,
  onEnd: (end: ProcessEnd) => void,
): WorkerProcess {
  let ended = false
  const end = (result: ProcessEnd): void => {
    if (ended) return
    ended = true
    onEnd(result)
  }
  let child: ChildProcess
  const fd = command.openOutput?.(accountId)
  const output = fd ?? 'inherit'
  try {
    child = fork(command.entry, [accountId, ...command.args], {
      execArgv: [...command.execArgv],
      env: { ...command.env },
      stdio: ['ignore', output, output, 'ipc'],
    })
  } catch (error) {
    // Node brings some failures of spawn as an event and throws the others, ENOMEM among them: one account's trouble both.
    process.nextTick(end, {
      code: null,
      signal: null,
      error: error instanceof Error ? error : new Error(String(error)),
    })
    return { pid: undefined, send: () => undefined, kill: () => undefined }
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
  child.on('message', (raw) => {
    const message = parseFromWorker(raw)
    if (message !== undefined && !ended) onMessage(message)
  })
  child.on('exit', (code, signal) => end({ code, signal }))
  // A failed fork (no processes or descriptors left) brings `error` and no `exit`; a failed send or kill brings it as well,
  // while the process lives on.
  child.on('error', (error) => {
    if (child.pid === undefined) end({ code: null, signal: null, error })
  })
  return {
    pid: child.pid,
    send(message) {
      if (child.connected) child.send(message, () => undefined)
    },
    kill() {
      child.kill('SIGKILL')
    },
  }
}

/**
 * What a worker sees of the supervisor's environment: what Node and TLS need, and none of the service's secrets or of
 * systemd's sockets.
 */
const PASSED_ON = ['PATH', 'HOME', 'LANG', 'TZ', 'TMPDIR', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR']

export function workerEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    PASSED_ON.flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
