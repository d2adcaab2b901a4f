import { systemClock } from '../shared/clock.ts'
import { LATE, withDeadline } from '../shared/deadline.ts'
import { AppError, messageOf } from '../shared/errors.ts'
import { EXIT } from '../shared/exit-codes.ts'
import { SERVICE_IDENTIFIER } from '../shared/journal-entry.ts'
import { createLog } from '../shared/log.ts'
import { withPriority } from '../shared/log-destination.ts'
import { openTarget } from '../shared/log-target.ts'
import { App, type StartedApp } from './app.ts'
import { parseConfig } from './config.ts'
import { LogBook } from './feed/log-book.ts'
import { openJournalStreams } from './systemd/journal-streams.ts'
import { chooseTarget, leadsToJournal } from './systemd/log-target.ts'
import { openServiceLink } from './systemd/service-link.ts'

/** The service's entry: configuration, start, signals, exit code. */
const inJournal = leadsToJournal(process.env['JOURNAL_STREAM'])
const [argument] = process.argv.slice(2)
if (argument !== undefined) {
  // Without what may be a secret in it.
  const name = JSON.stringify(argument.replace(/=.*/su, '=...'))
  complain(`Configuration: ${name} is not understood: settings are environment variables (README.md), not arguments.`)
  process.exit(EXIT.badConfig.code)
}
const parsed = parseConfig(process.env, process.cwd())
if (parsed.config === undefined) {
  for (const error of parsed.errors) complain(`Configuration: ${error}`)
  process.exit(EXIT.badConfig.code)
}
const { config } = parsed
const isColourless = Boolean(process.env['NO_COLOR'])
const around = { isTerminal: process.stdout.isTTY, isColourless, leadsToJournal: inJournal }
const target = chooseTarget(config.logFormat, config.journalSockets, around)
// What the supervisor itself says of an account belongs on the account's page as well.
const logBook = new LogBook()
const destination = await openTarget(target, SERVICE_IDENTIFIER, process.stdout, systemClock)
const log = createLog(config.logLevel, [destination, logBook.destination])
const openOutput =
  target.kind === 'journal' ? await openJournalStreams(target.directory, log) : (): undefined => undefined
const workerLog = { target, openOutput }
const app = new App({
  config,
  environment: process.env,
  clock: systemClock,
  log,
  random: Math.random,
  logBook,
  workerLog,
})
const link = await openServiceLink(config.systemd, process.pid, () => app.state, systemClock, log)
process.on('exit', () => {
  link?.end()
  log.flush()
})

process.on('uncaughtException', (error) => {
  // What state the fleet is in is unknown now: workers flush by themselves when this process is gone.
  log.fatal({ event: 'supervisor.crashed', cause: error.message, stack: error.stack }, 'Bug')
  process.exit(EXIT.crashed.code)
})

/**
 * Ctrl-C under `npm start` arrives twice within milliseconds, from the terminal and from npm: only a signal that comes
 * later than this is a person who has lost patience.
 */
const SAME_SIGNAL_MS = 1000
let firstSignalMs: number | undefined
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    const nowMs = systemClock.monotonicMs()
    if (firstSignalMs === undefined) {
      firstSignalMs = nowMs
      log.info({ event: 'shutdown.started', signal }, 'Stopping: every worker flushes')
      void shutDown()
    } else if (nowMs - firstSignalMs > SAME_SIGNAL_MS) {
      log.warn({ event: 'shutdown.forced', signal }, 'A second signal: workers are killed now')
      app.killAll()
    }
  })
}
// Whoever reads the log may go first: the accounts stay up, and what is printed then is lost.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)
// A closed terminal is no reason to take the accounts down, and a reload of nothing is nothing.
process.on('SIGHUP', () => undefined)

/** Past SHUTDOWN_TIMEOUT_MS: whatever still hangs then (a disk, the last of the HTTP connections) is left behind. */
const LAST_RESORT_MS = 3500

async function shutDown(): Promise<void> {
  const stopping = app.stop().catch((error: unknown): typeof LATE => {
    log.error({ event: 'shutdown.failed', cause: messageOf(error) }, 'Stopping failed')
    return LATE
  })
  link?.stopping()
  const notFlushed = await withDeadline(stopping, config.shutdownTimeoutMs + LAST_RESORT_MS, systemClock)
  if (notFlushed === LATE) {
    log.error({ event: 'shutdown.timeout' }, 'Stopping took too long: leaving')
    process.exit(EXIT.notFlushed.code)
  }
  if (notFlushed.length === 0) {
    log.info({ event: 'shutdown.completed' }, 'Stopped: every session is on the disk')
    process.exit(EXIT.ok.code)
  }
  log.error(
    { event: 'shutdown.not_flushed', accounts: notFlushed },
    `Stopped, but these did not flush: ${notFlushed.join(', ')}`,
  )
  process.exit(EXIT.notFlushed.code)
}

try {
  const started = await app.start()
  link?.ready()
  welcome(started)
} catch (error) {
  await app.stop()
  // A signal that came meanwhile is answered by `shutDown`, which says how it ends: a stop is no failed start.
  if (firstSignalMs === undefined) failToStart(error)
}

function failToStart(error: unknown): never {
  if (!(error instanceof AppError)) {
    log.fatal(
      {
        event: 'supervisor.start_failed',
        cause: messageOf(error),
        stack: error instanceof Error ? error.stack : undefined,
      },
      'The service could not start',
    )
    process.exit(EXIT.crashed.code)
  }
  complain(error.message)
  process.exit(error.code === 'bad_config' ? EXIT.badConfig.code : EXIT.unavailable.code)
}

/** What keeps the service from starting, on stderr: an error, where the journal asks. */
function complain(text: string): void {
  process.stderr.write(inJournal ? withPriority(text, 3) : `${text}\n`)
}

/**
 * How to get in, on stderr. The address with its code opens the dashboard, so it is for a terminal alone: anything else is
 * kept (a journal, a file, a log shipper) and gets the place of a token that was just made, once.
 */
function welcome({ url, loginCode, tokenMadeAt }: StartedApp): void {
  const token = tokenMadeAt === undefined ? '' : `ADMIN_TOKEN was not set; one was made and is kept in ${tokenMadeAt}\n`
  if (process.stderr.isTTY) {
    // Behind the # nothing leaves the browser: the code is in no request line and no proxy's log.
    const address = `  Dashboard (opens once, within 15 minutes): ${url}/#login=${loginCode}\n`
    process.stderr.write(`\n${address}${token === '' ? '' : `  ${token}`}\n`)
  } else {
    process.stderr.write(token)
  }
}
