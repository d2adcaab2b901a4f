import { LATE, withDeadline } from '../shared/deadline.ts'
import { systemClock } from '../shared/clock.ts'
import { messageOf } from '../shared/errors.ts'
import { EXIT } from '../shared/exit-codes.ts'
import { parseToWorker, type FromWorker, type StartMessage, type ToWorker } from '../shared/ipc.ts'
import { createLog, LOG_LEVELS } from '../shared/log.ts'
import { LogCopy } from '../shared/log-copy.ts'
import { openTarget } from '../shared/log-target.ts'
import { phaseOf } from '../shared/phase.ts'
import { maskNumbers } from '../shared/phone.ts'
import { silenceConsole } from './console.ts'
import { HealthWatch } from './health-watch.ts'
import { IdleCollection } from './idle-collection.ts'
import { OomScore } from './oom-score.ts'
import { sourceStack } from './source-stack.ts'

/**
 * A worker's entry: a start message in, an exit code out. It ends by the supervisor's `stop`, by the loss of the
 * supervisor (`disconnect`), or by its own fault; not by a signal to stop, since a terminal's Ctrl-C and systemd send theirs to
 * every process at once, and the flush is the supervisor's to order.
 */

// libsignal prints whole sessions, private keys included, through console.info: before anything that loads it.
silenceConsole()
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
// systemd's to all when its watchdog expires: the supervisor stands still, and soon everybody is killed.
process.on('SIGABRT', () => lose())
// The other end of a pipe may go first (a supervisor that was killed): that is no reason to die unflushed.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)

/** Without a supervisor nobody counts the seconds of a flush, so it counts its own. */
const ORPHAN_DEADLINE_MS = 8000

if (process.send === undefined) {
  process.stderr.write('This is a worker of the supervisor and is started by it alone: run `npm start`.\n')
  process.exit(EXIT.badConfig.code)
}

/** What came before the account was there to hear it: a message without a listener would be lost. */
const early: ToWorker[] = []
let hear = (message: ToWorker): void => void early.push(message)
let lose = (): void => process.exit(EXIT.ok.code)
const startReceived = new Promise<StartMessage>((resolve) => {
  process.on('message', (raw) => {
    const message = parseToWorker(raw)
    if (message?.type === 'start') resolve(message)
    else if (message !== undefined) hear(message)
    else process.stderr.write('A message of the supervisor was not understood: is it of another version?\n')
  })
})
process.on('disconnect', () => lose())

// The heavy imports come after the console is silenced, and while the start message is on its way.
const modules = Promise.all([import('./account.ts'), import('./socket/client-version.ts')])
/** For the loader of the bundle: everything that a start needs is loaded. */
export const loaded: Promise<unknown> = modules

/** Resolves when the message is in the channel, and also when there is no channel any more. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected || process.send === undefined) return resolve()
    process.send(message, undefined, undefined, () => resolve())
  })
}

// No await at the top: the bundle is a CommonJS module, which has none.
void run().catch((error: unknown) => {
  process.stderr.write(`The worker could not start: ${error instanceof Error ? sourceStack(error) : String(error)}\n`)
  process.exit(EXIT.crashed.code)
})

async function run(): Promise<void> {
  const [{ Account }, { BUNDLED_VERSION }] = await modules
  const start = await startReceived

  const level = LOG_LEVELS.find((known) => known === start.logLevel) ?? 'info'
  const copy = new LogCopy((lines, dropped) => send({ type: 'log', lines, dropped }), systemClock)
  const destination = await openTarget(start.logTarget, start.accountId, process.stdout, systemClock)
  const log = createLog(level, [destination, copy]).child({ accountId: start.accountId })
  // However the process ends, but for a signal: what the log still has to say is said, within half a second.
  process.on('exit', () => log.flush())

  const oomScore = new OomScore()
  const account = new Account({
    start,
    clock: systemClock,
    log,
    random: Math.random,
    send: (message) => {
      if (message.type === 'connection' && message.status === 'connected') oomScore.connected()
      return send(message)
    },
    exit: (code) => process.exit(code),
  })

  hear = (message) => {
    switch (message.type) {
      case 'permit':
      case 'retry':
      case 'abandon':
      case 'pair':
      case 'number_taken':
      case 'set_aside_answer':
      case 'use_version':
      case 'request_pairing_code':
      case 'messages_received':
      case 'log_out':
      case 'retire':
      case 'snapshot_request':
        return account.handle(message)
      case 'stop':
        return void account.stop(message.lastSnapshot)
      case 'start':
        return
      default:
        return message satisfies never
    }
  }
  lose = () => {
    log.warn({ event: 'supervisor.lost' }, 'The supervisor is gone or stands still: flushing and leaving')
    void withDeadline(account.stop(), ORPHAN_DEADLINE_MS, systemClock).then((result) => {
      if (result === LATE) process.exit(EXIT.notFlushed.code)
    })
  }
  process.on('unhandledRejection', (reason) => account.handleUnhandled(reason))
  process.on('uncaughtException', (error) => {
    log.fatal(
      { event: 'worker.crashed', cause: maskNumbers(messageOf(error)), stack: maskNumbers(sourceStack(error)) },
      'Bug',
    )
    process.exit(EXIT.crashed.code)
  })

  let lastBeatMs = systemClock.monotonicMs()
  const health = new HealthWatch(start.retirement, systemClock, log)
  const collection = new IdleCollection(start.accountId, systemClock, log)
  const beat = (): void => {
    const nowMs = systemClock.monotonicMs()
    const loopDelayMs = Math.max(0, nowMs - lastBeatMs - start.heartbeatIntervalMs)
    lastBeatMs = nowMs
    const { rssBytes, cpuMs, retire } = health.look(account.quietForMs)
    const { activity, counts } = account
    void send({ type: 'heartbeat', rssBytes, loopDelayMs: Math.round(loopDelayMs), cpuMs, activity, counts })
    if (retire) void send({ type: 'retire_request' })
    void collection.look(account.idleForMs)
    oomScore.look(account.connectedForMs)
  }
  // Not in step with the other workers, whenever they were started.
  const phaseMs = phaseOf(start.accountId, start.heartbeatIntervalMs)
  lastBeatMs += phaseMs - start.heartbeatIntervalMs
  setTimeout(() => {
    beat()
    setInterval(beat, start.heartbeatIntervalMs)
  }, phaseMs)

  await send({ type: 'ready', version: BUNDLED_VERSION })
  void account.begin()
  for (const message of early) hear(message)
}
