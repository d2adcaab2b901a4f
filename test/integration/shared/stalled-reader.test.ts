import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { MOST_WAITING_BYTES } from '../../../shared/log-target.ts'
import { until } from '../../fixtures/until.ts'

const WRITER = fileURLToPath(new URL('./fixtures/output-writer.js', import.meta.url))

interface Line {
  event: string
  number?: number
  count?: number
  accountId: string
}

class Writer {
  readonly #child: ChildProcess
  readonly #output: Readable
  #told = 0
  #text = ''
  isAtEnd = false

  constructor(child: ChildProcess, output: Readable) {
    this.#child = child
    this.#output = output
    child.on('message', () => this.#told++)
  }

  /** Resolves when the process has done it. One that waits for its reader never has. */
  async order(order: { lines: number; fork?: boolean }): Promise<void> {
    const told = this.#told
    this.#child.send(order)
    await until('the process to write', () => this.#told > told)
  }

  async ready(): Promise<this> {
    await until('the process', () => this.#told > 0)
    return this
  }

  /** The last order. @returns the exit code */
  async exit(lines: number): Promise<number | null> {
    this.#child.send({ lines, exit: true })
    await until('the process to end', () => this.#child.exitCode !== null || this.#child.signalCode !== null)
    return this.#child.exitCode
  }

  read(): void {
    this.#output.setEncoding('utf8').on('data', (text: string) => (this.#text += text))
    this.#output.on('end', () => (this.isAtEnd = true))
  }

  lines(): Line[] {
    const whole = this.#text.slice(0, this.#text.lastIndexOf('\n') + 1)
    return whole.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Line]))
  }

  get bytes(): number {
    return this.#text.length
  }
}

/** What a shell makes of `|`, and what Node makes of `stdio: 'pipe'`: one can be opened anew, the other can not. */
const OUTPUTS: Record<string, (t: Test, ...args: string[]) => Writer> = {
  'a pipe': (t, ...args) => {
    const path = join(t.testdir(), 'pipe')
    execFileSync('mkfifo', [path])
    const near = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const far = openSync(path, constants.O_WRONLY)
    const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', far, 'inherit', 'ipc'] })
    closeSync(far)
    const output = new Socket({ fd: near, readable: true, writable: false })
    t.teardown(() => {
      child.kill('SIGKILL')
      output.destroy()
    })
    return new Writer(child, output)
  },
  'a socket': (t, ...args) => {
    const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
    t.teardown(() => child.kill('SIGKILL'))
    if (child.stdout === null) throw new Error('no output')
    return new Writer(child, child.stdout)
  },
}
const LINES = 20_000
/** Of the kernel and of Node's reading side, at the most. */
const IN_BETWEEN_BYTES = 1024 * 1024

for (const [name, start] of Object.entries(OUTPUTS)) {
  t.test(`nobody reads ${name}: the process goes on, keeps a bounded part, and says what it lost`, async (t) => {
    const writer = await start(t).ready()
    await writer.order({ lines: LINES, fork: true })
    writer.read()
    await until('what was lost', () => writer.lines().some(({ event }) => event === 'log.dropped'))
    t.ok(writer.bytes <= MOST_WAITING_BYTES.worker + IN_BETWEEN_BYTES, `${writer.bytes} bytes were kept`)
    await writer.order({ lines: 10 })
    await writer.exit(0)
    await until('the end', () => writer.isAtEnd)
    const lines = writer.lines()
    const gap = lines.findIndex(({ event }) => event === 'log.dropped')
    const { count = 0, accountId } = lines[gap] ?? {}
    t.equal(accountId, 'account_a')
    t.equal(gap + count, LINES, `${gap} arrived, ${count} are told as lost`)
    const numbers = Array.from({ length: LINES + 10 }, (_, index) => index)
    const expected = [...numbers.slice(0, gap), undefined, ...numbers.slice(LINES)]
    t.strictSame(
      lines.map(({ number }) => number),
      expected,
      'in order, and the gap is where it says',
    )
  })

  t.test(`what ${name} had no room for at the end of a process is written first`, async (t) => {
    const writer = await start(t, 'patient').ready()
    writer.read()
    await writer.exit(5000)
    await until('the end', () => writer.isAtEnd)
    t.equal(writer.lines().length, 5000)
  })

  t.test(`nobody reads ${name}: a process ends all the same`, async (t) => {
    const writer = await start(t).ready()
    await writer.order({ lines: 5000, fork: true })
    t.equal(await writer.exit(5000), 0)
  })
}
