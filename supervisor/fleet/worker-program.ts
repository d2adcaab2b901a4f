import { access, mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../shared/clock.ts'
import type { Log } from '../../shared/log.ts'
import { makeCodeCache } from '../../shared/make-code-cache.ts'
import { BUNDLE_ENVIRONMENT, BUNDLE_FILES, BUNDLE_FLAGS, PLAIN_FLAGS } from '../../shared/worker-process.ts'
import { messageOf } from '../../shared/errors.ts'
import type { WorkerCommand } from './child-process.ts'

/** What workers run: the bundle that `npm run build` made, under its code cache where there can be one, or the compiled files. */
export interface WorkerProgramOptions {
  /** WORKER_BUNDLE. */
  bundle: boolean
  /** What workers see of the supervisor's environment. */
  env: Readonly<Record<string, string>>
  sessionsPath: string
  clock: Clock
  log: Log
  /** Opens stdout and stderr of each process. */
  openOutput?: WorkerCommand['openOutput']
  /** Another program in the place of the worker, run as it is. */
  entry: string | null
}

const BUNDLE_DIR = fileURLToPath(new URL('../../bundle', import.meta.url))
const PLAIN_ENTRY = fileURLToPath(new URL('../../worker/main.js', import.meta.url))

/** Beside the sessions, where the installation can't be written: no name of an account begins with a dot. */
const OWN_CACHE_DIR = '.code-cache'

/** One that is not taken soon after it was made anew will not be taken the next time either. */
const REMAKE_AFTER_MS = 60 * 60_000

export class WorkerProgram {
  readonly #options: WorkerProgramOptions
  readonly #loader: string
  #command: WorkerCommand
  #remadeMs = Number.NEGATIVE_INFINITY
  #making: Promise<void> | undefined

  constructor(options: WorkerProgramOptions) {
    const { env, entry, openOutput } = options
    this.#options = options
    this.#loader = join(BUNDLE_DIR, BUNDLE_FILES.loader)
    this.#command = { entry: entry ?? PLAIN_ENTRY, execArgv: PLAIN_FLAGS, env, args: [], openOutput }
  }

  /** As of now: a worker that starts later may get another one. */
  get command(): WorkerCommand {
    return this.#command
  }

  /** Of all that a worker of this installation may be running. */
  get entries(): readonly string[] {
    return [PLAIN_ENTRY, this.#loader, this.#command.entry]
  }

  /** Decides, says so in the log, and sees to the code cache. Resolves within a minute, whatever happens. */
  async prepare(): Promise<void> {
    const { bundle, env, entry, log } = this.#options
    if (bundle && entry === null && (await isThere(this.#loader))) {
      this.#command = {
        ...this.#command,
        entry: this.#loader,
        execArgv: BUNDLE_FLAGS,
        env: { ...env, ...BUNDLE_ENVIRONMENT },
      }
      return this.#makeCache()
    }
    log[bundle ? 'warn' : 'info'](
      { event: 'worker.unbundled', entry: this.#command.entry },
      bundle
        ? 'There is no bundle of the worker: run `npm run build`. Workers run unbundled, which takes three times the memory'
        : 'Workers run unbundled, as WORKER_BUNDLE says: three times the memory',
    )
  }

  /** A worker could not use the cache: another Node has been installed under the running service, say. */
  cacheUnused(cause: string): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#making !== undefined || nowMs - this.#remadeMs < REMAKE_AFTER_MS) return
    this.#remadeMs = nowMs
    this.#options.log.warn({ event: 'code_cache.unused', cause }, 'A worker could not use the code cache')
    this.#making = this.#makeCache().finally(() => (this.#making = undefined))
  }

  async #makeCache(): Promise<void> {
    const { log } = this.#options
    const entry = this.#loader
    const causes: string[] = []
    const places = await this.#places(causes)
    for (const path of places) {
      const { result, cause, sizeBytes } = await makeCodeCache(entry, path)
      if (result !== 'failed') {
        this.#command = { ...this.#command, args: [path] }
        log.info({ event: 'worker.bundled', entry, codeCache: path, result, sizeBytes }, 'Workers run the bundle')
        return
      }
      causes.push(`${path}: ${cause}`)
    }
    // Where there is none each worker says so, and it is tried again: the disk may have been full.
    this.#command = { ...this.#command, args: places.slice(0, 1) }
    log.warn(
      { event: 'worker.bundled', entry, codeCache: null, causes },
      'Workers run the bundle without a code cache: each start takes a little longer',
    )
  }

  async #places(causes: string[]): Promise<string[]> {
    const places = [join(this.#loader, '..', BUNDLE_FILES.codeCache)]
    const own = join(this.#options.sessionsPath, OWN_CACHE_DIR)
    try {
      await mkdir(own, { mode: 0o700 }).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
      })
      const { uid, mode } = await stat(own)
      // Whoever can write there decides what every worker does.
      if (uid !== process.geteuid?.() || (mode & 0o022) !== 0) throw new Error('others can write it')
      places.push(join(own, BUNDLE_FILES.codeCache))
    } catch (error) {
      causes.push(`${own}: ${messageOf(error)}`)
    }
    return places
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
