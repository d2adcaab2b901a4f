import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { knownPid } from '../fixtures/known-pid.ts'
import { until } from '../fixtures/until.ts'

const execute = promisify(execFile)

export interface Outcome {
  code: number
  /** stdout and stderr, as they came. */
  output: string
}

/**
 * A machine: Debian with systemd as pid 1 in systemd-nspawn, on a copy of the tree that is thrown away. It shares the
 * network of this process. Everything in it is done from outside, by nsenter.
 */
export class Container {
  readonly #root: string
  #nspawn: ChildProcess | undefined
  #leader = 0

  /**
   * @param tree is not changed
   * @param work an empty directory
   */
  constructor(tree: string, work: string) {
    this.#root = join(work, 'root')
    const [upper, below] = [join(work, 'upper'), join(work, 'work')]
    for (const directory of [this.#root, upper, below]) mkdirSync(directory)
    const layers = `lowerdir=${tree},upperdir=${upper},workdir=${below}`
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', layers, this.#root])
  }

  /** A path of the container as this process sees it, while it is not running as well. */
  path(path: string): string {
    return join(this.#root, path)
  }

  async boot(): Promise<void> {
    const args = ['--boot', '--register=no', '--keep-unit', '--settings=no', '--console=pipe', '--quiet']
    const nspawn = spawn('systemd-nspawn', ['-D', this.#root, ...args, 'systemd.show_status=0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#nspawn = nspawn
    let said = ''
    for (const stream of [nspawn.stdout, nspawn.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
    await until(
      'systemd to boot',
      async () => {
        if (nspawn.exitCode !== null) throw new Error(`systemd-nspawn ended with ${nspawn.exitCode}: ${said}`)
        const [child] = childrenOf(knownPid(nspawn.pid))
        if (child === undefined) return false
        this.#leader = child
        const { output } = await this.run('systemctl', 'is-system-running')
        return /running|degraded/.test(output)
      },
      () => said,
    )
  }

  /** As the machine's power button does: everything is stopped, then it is off. */
  async powerOff(): Promise<void> {
    const nspawn = this.#nspawn
    if (nspawn === undefined || nspawn.exitCode !== null || nspawn.signalCode !== null) return
    const exit = once(nspawn, 'exit')
    // SIGRTMIN+4
    execFileSync('kill', ['-s', 'RTMIN+4', String(this.#leader)])
    const late = setTimeout(() => nspawn.kill('SIGKILL'), 60_000)
    await exit
    clearTimeout(late)
  }

  /** Runs a program as root in the container; whatever its exit code, that is a result. */
  async run(...command: string[]): Promise<Outcome> {
    const args = ['-t', String(this.#leader), '-m', '-u', '-i', '-p', '-C', '-r', '-w', ...command]
    try {
      const { stdout, stderr } = await execute('nsenter', args, { maxBuffer: 64 * 1024 * 1024, env: ENVIRONMENT })
      return { code: 0, output: stdout + stderr }
    } catch (error) {
      const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string }
      return { code: typeof code === 'number' ? code : -1, output: stdout + stderr }
    }
  }

  /** As run, for what has to succeed. */
  async must(...command: string[]): Promise<string> {
    const { code, output } = await this.run(...command)
    if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}: ${output.slice(-2000)}`)
    return output
  }
}

const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
  } catch {
    return []
  }
}
