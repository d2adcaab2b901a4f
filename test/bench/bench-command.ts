import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** `npm run bench -- NAME [options]`: each bench is a program of its own, so that it measures nothing but itself. */
const BENCHES: Readonly<Record<string, { file: string; does: string }>> = {
  backup: { file: 'backup.js', does: 'one backup of a session: bytes, documents, reads and writes, CPU' },
  'backup-cpu': {
    file: 'backup-cpu.js',
    does: "the supervisor's CPU with backups on and off, idle and at a message a second of each account",
  },
  'mass-drop': {
    file: 'mass-drop.js',
    does: 'every socket of a fleet is dropped: how it comes back, and what it costs',
  },
  store: { file: 'store.js', does: "the session log beside Baileys' useMultiFileAuthState: [messages]" },
}

const USAGE = `Usage: npm run bench -- NAME [options]

${Object.entries(BENCHES)
  .map(([name, { does }]) => `  ${name.padEnd(12)} ${does}`)
  .join('\n')}

mass-drop and backup-cpu list their options with --help.
`

const [name = '', ...args] = process.argv.slice(2)
const bench = BENCHES[name]
if (bench === undefined) {
  const wrong = name === '' || name === '--help' ? '' : `There is no bench "${name}".\n\n`
  process.stderr.write(wrong + USAGE)
  process.exitCode = name === '--help' ? 0 : 64
} else {
  const child = fork(fileURLToPath(new URL(bench.file, import.meta.url)), args)
  // The terminal's Ctrl-C reaches the child as well, which has processes to end.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [code] = (await once(child, 'exit')) as [number | null]
  process.exitCode = code ?? 1
}
