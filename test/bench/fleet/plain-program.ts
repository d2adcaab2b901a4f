import { connect as connectTo } from 'node:net'
import { makeWASocket, useMultiFileAuthState, WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import { pino } from 'pino'

/**
 * What a program that uses Baileys amounts to, for one account or for many: Baileys' own file store, a new socket at once
 * when one ends, everything else left as it is by default. Arguments: URL, Noise root key, then directories of sessions,
 * each named by its phone; more come as lines on standard input. A JSON line for whatever happens, on standard output or to
 * the socket LINES_TO.
 */
for (const method of ['log', 'info', 'debug', 'warn', 'error'] as const) console[method] = () => undefined
const [url = '', rootKey = '', ...directories] = process.argv.slice(2)
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex')
const { LINES_TO } = process.env
const lines = LINES_TO === undefined ? process.stdout : connectTo(LINES_TO)
const say = (fields: object): void => void lines.write(`${JSON.stringify({ atMs: Date.now(), ...fields })}\n`)

async function run(directory: string): Promise<void> {
  const phone = directory.slice(directory.lastIndexOf('/') + 1)
  say({ event: 'started', phone, pid: process.pid })
  const { state, saveCreds } = await useMultiFileAuthState(directory)
  const connect = (): void => {
    const socket = makeWASocket({ auth: state, waWebSocketUrl: url, logger: pino({ level: 'silent' }) })
    socket.ev.on('creds.update', () => void saveCreds())
    socket.ev.on('connection.update', ({ qr, connection }) => {
      if (qr !== undefined) say({ event: 'qr', phone, qr })
      if (connection === 'open') say({ event: 'open', phone })
      if (connection === 'close') connect()
    })
    socket.ev.on('messages.upsert', ({ messages }) => {
      for (const { key } of messages) if (key.fromMe !== true) say({ event: 'message', phone, id: key.id })
    })
  }
  connect()
}

process.on('SIGTERM', () => process.exit(0))
// Its parent is gone.
process.stdin.on('end', () => process.exit(0))
lines.on('error', () => process.exit(0))
for (const directory of directories) void run(directory)
let rest = ''
process.stdin.on('data', (chunk: Buffer) => {
  const more = (rest + chunk.toString()).split('\n')
  rest = more.pop() ?? ''
  for (const directory of more) void run(directory)
})
