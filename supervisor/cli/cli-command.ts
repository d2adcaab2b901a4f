/** `npx whatsapp-backend ...`: the service from a terminal, over its API alone. */
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { systemClock } from '../../shared/clock.ts'
import { messageOf } from '../../shared/errors.ts'
import { action } from './actions.ts'
import { CliError, EXIT_CODES } from './cli-error.ts'
import { Client } from './client.ts'
import type { CliCommand, CliContext } from './context.ts'
import { logs } from './logs.ts'
import { add, code, qr } from './pairing.ts'
import { readSettings } from './settings.ts'
import { status } from './status.ts'

const USAGE = `Usage: whatsapp-backend COMMAND [options]

  status [ACCOUNT] [--watch]   how everything is; --watch: live
  add NAME PHONE               adds an account and shows its QR code until a phone has scanned it
  qr ACCOUNT                   shows the account's QR code until a phone has scanned it
  code ACCOUNT                 a code to type into the phone instead
  restart ACCOUNT... | --all   a new process
  pause, resume ACCOUNT... | --all
  logout ACCOUNT... | --all    unlinks this device at WhatsApp; asks first, as remove does
  remove ACCOUNT...            stops and forgets the account; its session is set aside
  logs ACCOUNT [--lines N] [--no-follow]
                               the last lines of its log (50), and what follows

ACCOUNT is an id, four characters or more of its begin or end, or a name.

  --yes               logout, remove: don't ask, where nobody is there to answer
  --json              for programs: JSON on standard output, one object or (live) one a line
  --url URL           of the service; else HOST and PORT of the environment, http://127.0.0.1:8080
  --token-file FILE   a file with the token; else ADMIN_TOKEN, else the admin-token in SESSIONS_PATH

Exit: 0 done, all is well; 1 the service says no, or an account that shall run is not connected; 64 wrong usage;
69 the service does not answer; 78 no token, or a wrong one.`

interface Command {
  run: CliCommand
  /** Operands that it takes. */
  least: number
  most: number
}

const COMMANDS: Readonly<Record<string, Command>> = {
  status: { run: status, least: 0, most: 1 },
  add: { run: add, least: 2, most: 2 },
  qr: { run: qr, least: 1, most: 1 },
  code: { run: code, least: 1, most: 1 },
  restart: { run: action('restart'), least: 0, most: Infinity },
  pause: { run: action('pause'), least: 0, most: Infinity },
  resume: { run: action('resume'), least: 0, most: Infinity },
  logout: { run: action('logout'), least: 0, most: Infinity },
  remove: { run: action('remove'), least: 1, most: Infinity },
  logs: { run: logs, least: 1, most: 1 },
}

const OPTIONS = {
  watch: { type: 'boolean' },
  'no-follow': { type: 'boolean' },
  yes: { type: 'boolean' },
  all: { type: 'boolean' },
  lines: { type: 'string' },
  json: { type: 'boolean' },
  url: { type: 'string' },
  'token-file': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const

/** Options that mean something to some commands alone. */
const BELONGS: Readonly<Record<string, readonly string[]>> = {
  watch: ['status'],
  'no-follow': ['logs'],
  lines: ['logs'],
  yes: ['logout', 'remove'],
  all: ['restart', 'pause', 'resume', 'logout'],
}

async function run(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args)
  const [name = '', ...operands] = positionals
  if (values.help === true || name === 'help') {
    process.stdout.write(`${USAGE}\n`)
    return EXIT_CODES.ok
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new CliError('usage', name === '' ? 'no command' : `no command "${name}"`)
  if (operands.some((operand) => operand.trim() === '')) {
    throw new CliError('usage', `${name} takes nothing that is empty: a variable of the shell that is not set?`)
  }
  if (operands.length < command.least) throw new CliError('usage', `${name} takes more than that`)
  if (operands.length > command.most) throw new CliError('usage', `${name} takes no "${operands[command.most]}"`)
  for (const [option, commands] of Object.entries(BELONGS)) {
    if (option in values && !commands.includes(name)) throw new CliError('usage', `${name} takes no --${option}`)
  }
  const settings = await readSettings({
    url: values.url,
    tokenFile: values['token-file'],
    env: process.env,
    cwd: process.cwd(),
  })
  const context: CliContext = {
    client: new Client(settings),
    print: (text) => void process.stdout.write(`${text}\n`),
    tell: (text) => void process.stderr.write(`${text}\n`),
    nowMs: () => systemClock.nowMs(),
    json: values.json === true,
    isTerminal: process.stdout.isTTY,
    confirm,
  }
  const exit = await command.run(
    operands,
    {
      watch: values.watch === true,
      follow: values['no-follow'] !== true,
      yes: values.yes === true,
      all: values.all === true,
      lines: linesOf(values.lines ?? '50'),
    },
    context,
  )
  return EXIT_CODES[exit]
}

function linesOf(text: string): number {
  const lines = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (lines >= 1 && lines <= 200) return lines
  throw new CliError('usage', `--lines is "${text}": a number from 1 to 200`)
}

async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim())
  } finally {
    terminal.close()
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new CliError('usage', messageOf(error))
  }
}

// Whoever reads may go first (`| head`).
process.stdout.on('error', () => process.exit(0))
let exitCode: number
try {
  exitCode = await run(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof CliError)) throw error
  const isJson = process.argv.includes('--json')
  if (isJson && error.exit !== 'usage') {
    process.stdout.write(`${JSON.stringify({ success: false, error: { code: error.code, message: error.message } })}\n`)
  }
  process.stderr.write(error.exit === 'usage' ? `${error.message}\n\n${USAGE}\n` : `${error.message}\n`)
  exitCode = EXIT_CODES[error.exit]
}
// A stream that is open would keep the process; what was printed goes first.
process.stdout.write('', () => process.exit(exitCode))
