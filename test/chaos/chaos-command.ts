import { createWriteStream, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { messageOf } from '../../shared/errors.ts'
import { describeAction, plan } from './plan.ts'
import { describeReport, isPassed } from './report.ts'
import { runChaos } from './run.ts'

/** `npm run chaos`: the real service against the simulator, with faults of every kind, and a judgement at the end. */
const USAGE = `Usage: npm run chaos -- [--accounts N] [--minutes M] [--seed N] [--json FILE] [--log FILE] [--plan]

Pairs N accounts with a simulated WhatsApp, injects random faults for M minutes while contacts keep writing to every
account, then waits for calm and judges. All that is random comes from the seed.

  --accounts N   how many accounts, 2 to 200 (30)
  --minutes M    of faults, 1 to 60 (5)
  --seed N       0 to 4294967295 (one is drawn, and printed)
  --json FILE    writes the report as JSON
  --log FILE     writes what the service printed, and what the simulator saw
  --plan         prints the plan and does nothing
  --help         this text

A full disk takes a mount: without root that action is left out. Exit: 0 all held, 1 something failed, 64 wrong usage.`
const USAGE_CODE = 64
const SEEDS = 4_294_967_296

class UsageError extends Error {}

// Whoever reads the output may go first (`| head`): the run goes on, and takes away after itself what it made.
process.stdout.on('error', () => undefined)
const say = (line: string): void => void process.stdout.write(`${line}\n`)

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text)
  if (text.trim() !== '' && Number.isInteger(value) && value >= min && value <= max) return value
  throw new UsageError(`--${name} is "${text}": a whole number from ${min} to ${max} is wanted.`)
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        accounts: { type: 'string', default: '30' },
        minutes: { type: 'string', default: '5' },
        seed: { type: 'string', default: String(Math.floor(Math.random() * SEEDS)) },
        json: { type: 'string' },
        log: { type: 'string' },
        plan: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

async function main(args: string[]): Promise<number> {
  const values = parse(args)
  if (values.help) {
    say(USAGE)
    return 0
  }
  const seed = wholeNumber('seed', values.seed, 0, SEEDS - 1)
  const accounts = wholeNumber('accounts', values.accounts, 2, 200)
  const minutes = wholeNumber('minutes', values.minutes, 1, 60)
  say(`Seed ${seed}: ${accounts} accounts, ${minutes} min. The plan:`)
  for (const action of plan(seed, accounts, minutes)) say(describeAction(action))
  if (values.plan) return 0
  if (values.json !== undefined) writeFileSync(values.json, '')
  const log = values.log === undefined ? undefined : createWriteStream(values.log, { mode: 0o600 })
  const abort = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort())
  say(`\nPairing ${accounts} accounts. Then:`)
  const report = await runChaos({
    seed,
    accounts,
    minutes,
    say,
    signal: abort.signal,
    onLog: (line) => void log?.write(`${line}\n`),
  })
  for (const line of describeReport(report)) say(line)
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
  return isPassed(report) ? 0 : 1
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(error instanceof UsageError ? `${error.message}\n\n${USAGE}\n` : `${messageOf(error)}\n`)
  // Of a run that was ended before its time, pauses may still be under way.
  process.exit(error instanceof UsageError ? USAGE_CODE : 1)
}
