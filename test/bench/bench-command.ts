import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** `npm run bench -- NAME [options]`: each bench is a program of its own, so that it measures nothing but itself. */
const BENCHES: Readonly<Record<string, { file: string; does: string }>> = {
  api: { file: 'api.js', does: 'the dashboard and event streams with twenty clients: latency, delay, CPU, memory' },
  backup: { file: 'backup.js', does: 'one backup of a session: bytes, documents, reads and writes, CPU' },
  'backup-cpu': {
    file: 'backup-cpu.js',
    does: "the supervisor's CPU with backups on and off, idle and at a message a second of each account",
  },
  limit: {
    file: 'limit.js',
    does: 'accounts are added until memory or the cores end: what ends first, and what happens',
  },
  'mass-drop': {
    file: 'mass-drop.js',
    does: 'every socket of a fleet is dropped: how it comes back, and what it costs',
  },
  memory: { file: 'fleet.js', does: 'memory and CPU of accounts, idle and in traffic, beside plain Baileys' },
  messages: { file: 'fleet.js', does: 'CPU and latency of a message, beside plain Baileys' },
  recover: { file: 'recover.js', does: 'one account in trouble: when it is back, what the others notice' },
  start: { file: 'fleet.js', does: 'CPU and time of a start, beside plain Baileys' },
  stop: { file: 'fleet.js', does: 'from SIGTERM to the end of every process, beside plain Baileys' },
  store: { file: 'store.js', does: "the session log beside Baileys' useMultiFileAuthState: [messages]" },
}

const USAGE = `Usage: npm run bench -- NAME [options]

${Object.entries(BENCHES)
  .map(([name, { does }]) => `  ${name.padEnd(12)} ${does}`)
  .join('\n')}

NAME --help lists its options.
`

const [name = '', ...args] = process.argv.slice(2)
const bench = BENCHES[name]
if (bench === undefined) {
  const wrong = name === '' || name === '--help' ? '' : `There is no bench "${name}".\n\n`
  process.stderr.write(wrong + USAGE)
  process.exitCode = name === '--help' ? 0 : 64
} else {
  const child = fork(
    fileURLToPath(new URL(bench.file, import.meta.url)),
    bench.file === 'fleet.js' ? [name, ...args] : args,
  )
  // The terminal's Ctrl-C reaches the child as well, which has processes to end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
}
