import { parseArgs } from 'node:util'
import { SimulatorError } from './errors.ts'
import type { SimulatorOptions } from './simulator.ts'

const HELP = `Usage: npm run simulator -- [options]

A simulated WhatsApp service on 127.0.0.1, for programs that use Baileys.

  --port N               WebSocket port for clients; 0, the default, takes any free one
  --control-port N       HTTP port for orders and questions; 0, the default, takes any free one
  --state FILE           keeps phones, devices and waiting messages over restarts
  --prekeys N | real     answer to the prekey count query (default 1)
  --history CHATSxN      what a phone sends after its pairing: so many chats of N messages (default 2x2)
  --exit-with-parent     ends when standard input ends, as it does when the parent is gone
  --verbose              one line per event on standard error
  --help                 this text

Prints one line of JSON when it is ready: {"url","noiseRootKey","controlUrl"}. SIGINT and SIGTERM end it.
`
/** Wrong usage, as for most commands; 1 is for what went wrong while starting. */
const EXIT_USAGE = 2
const PORT_MAX = 65_535

interface Command extends SimulatorOptions {
  readonly controlPort: number
  readonly exitWithParent: boolean
}

/** Reads the command line; undefined when help was asked for. Throws `bad_request` with the flag, the value and what is wanted. */
function readCommand(args: readonly string[]): Command | undefined {
  const { values } = parse(args)
  if (values.help) return undefined
  return {
    port: readNumber('--port', values.port, PORT_MAX),
    controlPort: readNumber('--control-port', values['control-port'], PORT_MAX),
    history: readHistory(values.history),
    reportedPreKeys: values.prekeys === 'real' ? 'real' : readNumber('--prekeys', values.prekeys, 10_000),
    ...(values.state === undefined ? {} : { statePath: values.state }),
    ...(values.verbose ? { log: (line) => process.stderr.write(`${line}\n`) } : {}),
    exitWithParent: values['exit-with-parent'],
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string', default: '0' },
        'control-port': { type: 'string', default: '0' },
        state: { type: 'string' },
        prekeys: { type: 'string', default: '1' },
        history: { type: 'string', default: '2x2' },
        'exit-with-parent': { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (cause) {
    // Node's message goes on about how to pass values that begin with a dash.
    const [why = ''] = (cause instanceof Error ? cause.message : String(cause)).split(/[.\n]/)
    throw new SimulatorError('bad_request', `${why}; --help lists the options`, { cause })
  }
}

function readHistory(text: string): { chats: number; messagesPerChat: number } {
  const [, chats = '', messages = ''] = /^(\d{1,4})x(\d{1,4})$/.exec(text) ?? []
  if (chats === '')
    throw new SimulatorError('bad_request', `--history is "${text}": wanted chats x messages, like 20x100`)
  return { chats: Number(chats), messagesPerChat: Number(messages) }
}

function readNumber(flag: string, text: string, max: number): number {
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (!(value <= max)) {
    throw new SimulatorError('bad_request', `${flag} is "${text}": wanted a whole number from 0 to ${max}`)
  }
  return value
}

async function run({ controlPort, exitWithParent, ...options }: Command): Promise<void> {
  // Baileys takes a second to load: not before the flags are known to be right.
  const [{ startSimulator }, { startControl }] = await Promise.all([
    import('./simulator.ts'),
    import('./control-http.ts'),
  ])
  const simulator = await startSimulator(options)
  const control = await startControl(simulator, controlPort).catch(async (error: unknown) => {
    await simulator.close()
    throw error
  })
  const stop = (): void => {
    void Promise.all([control.close(), simulator.close()]).then(
      () => process.exit(),
      (error: unknown) => fail(error),
    )
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  process.once('disconnect', stop)
  if (exitWithParent) process.stdin.on('end', stop).on('error', stop).resume()
  const { url, noiseRootKey } = simulator
  process.stdout.write(`${JSON.stringify({ url, noiseRootKey, controlUrl: control.url })}\n`)
}

function fail(error: unknown): void {
  process.stderr.write(`simulator: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(error instanceof SimulatorError && error.code === 'bad_request' ? EXIT_USAGE : 1)
}

try {
  const command = readCommand(process.argv.slice(2))
  if (command) await run(command)
  else process.stdout.write(HELP)
} catch (error) {
  fail(error)
}
