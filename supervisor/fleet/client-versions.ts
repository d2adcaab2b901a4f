import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../shared/clock.ts'
import { writeFileAtomic } from '../../shared/atomic-file.ts'
import { errnoOf, messageOf } from '../../shared/errors.ts'
import type { ClientVersion } from '../../shared/ipc.ts'
import type { Log } from '../../shared/log.ts'
import { onLookedUp, onVerdict, startOrder, stuckOn, type Versions, type VersionStep } from '../core/client-version.ts'

/** The shell of core/client-version.ts: the file with the last version that WhatsApp took, and the one look-up. */
export interface ClientVersionsOptions {
  sessionsPath: string
  /** WA_VERSION. */
  configured: ClientVersion | null
  /** WA_VERSION_URL; null: nothing is looked up. */
  url: string | null
  clock: Clock
  log: Log
  /** Tells every worker. */
  onOrder: (version: ClientVersion) => void
}

/** Beside the sessions. Losing it costs nothing but, at worst, one look-up. */
const VERSION_FILE = 'wa-version.json'
const LOOK_UP_DEADLINE_MS = 10_000
/** WhatsApp moves on in days; a page that has no answer is not asked by every retry of every account. */
const LOOK_UP_PAUSE_MS = 10 * 60_000
/** The page has some 20 KB. */
const MOST_BYTES = 4 * 1024 * 1024

export class ClientVersions {
  readonly #options: ClientVersionsOptions
  #versions: Versions
  #stuckSinceMs: number | null = null
  #lookedUpMs = Number.NEGATIVE_INFINITY

  constructor(options: ClientVersionsOptions) {
    this.#options = options
    this.#versions = { configured: options.configured, knownGood: null, bundled: null, latest: null, refused: [] }
  }

  /** Reads the last version that WhatsApp took. A file that can't be used is as good as none. */
  async load(): Promise<void> {
    const path = join(this.#options.sessionsPath, VERSION_FILE)
    try {
      const knownGood = parseVersion(JSON.parse(await readFile(path, 'utf8')))
      this.#versions = { ...this.#versions, knownGood }
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return
      this.#options.log.warn({ event: 'version.unreadable', path, cause: messageOf(error) }, 'Client version')
    }
  }

  /** For the start message of a worker. */
  get startOrder(): { version: ClientVersion | null; knownGood: ClientVersion | null } {
    return startOrder(this.#versions)
  }

  /** The version that is refused while there is no other, as 2.3000.1, and since when (epoch ms); null where there is one to try. */
  get stuck(): { version: string; sinceMs: number } | null {
    const version = stuckOn(this.#versions)
    return version === null || this.#stuckSinceMs === null
      ? null
      : { version: version.join('.'), sinceMs: this.#stuckSinceMs }
  }

  /** Baileys' own version, as a worker says. */
  learn(bundled: ClientVersion): void {
    this.#versions = { ...this.#versions, bundled }
  }

  verdict(version: ClientVersion, accepted: boolean): void {
    const { log } = this.#options
    if (!accepted) {
      log.warn({ event: 'version.refused', version: version.join('.') }, 'WhatsApp refuses this client version')
    }
    this.#become(onVerdict(this.#versions, version, accepted))
  }

  #become({ versions, order, keep, lookUp }: VersionStep): void {
    const { log, onOrder } = this.#options
    this.#versions = versions
    if (stuckOn(versions) === null) this.#stuckSinceMs = null
    else this.#stuckSinceMs ??= this.#options.clock.nowMs()
    if (keep !== undefined) void this.#keep(keep)
    if (order !== undefined) {
      log.warn(
        { event: 'version.changed', version: order.join('.') },
        'Another client version is announced from now on',
      )
      onOrder(order)
    }
    if (lookUp) void this.#lookUp()
  }

  async #keep(version: ClientVersion): Promise<void> {
    const { sessionsPath, log } = this.#options
    try {
      await writeFileAtomic(join(sessionsPath, VERSION_FILE), `${JSON.stringify(version)}\n`)
    } catch (error) {
      log.warn({ event: 'version.not_kept', cause: messageOf(error) }, 'Client version')
    }
  }

  /** Once for the fleet, with a deadline; whatever goes wrong is a line in the log and no more. */
  async #lookUp(): Promise<void> {
    const { url, clock, log } = this.#options
    const nowMs = clock.monotonicMs()
    if (url === null || nowMs - this.#lookedUpMs < LOOK_UP_PAUSE_MS) return
    this.#lookedUpMs = nowMs
    try {
      const latest = await fetchVersion(url)
      log.info({ event: 'version.looked_up', version: latest.join('.') }, 'Client version')
      this.#become(onLookedUp(this.#versions, latest))
    } catch (error) {
      log.warn({ event: 'version.lookup_failed', url, cause: messageOf(error) }, 'Client version')
    }
  }
}

/** WhatsApp Web's own page names the revision that its servers want. Rejects with what was wrong. */
async function fetchVersion(url: string): Promise<ClientVersion> {
  const response = await fetch(url, {
    signal: AbortSignal.timeout(LOOK_UP_DEADLINE_MS),
    // The page answers browsers only: https://github.com/WhiskeySockets/Baileys/issues/1929
    headers: { 'sec-fetch-site': 'none', 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.0.0' },
  })
  if (!response.ok || response.body === null) throw new Error(`it answered ${response.status}`)
  let text = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk
    const revision = /\\?"client_revision\\?":\s*(\d{6,12})\b/.exec(text)?.[1]
    if (revision !== undefined) return [2, 3000, Number(revision)]
    if (text.length > MOST_BYTES) break
  }
  throw new Error('it names no client_revision')
}

/** @throws Error when it is not a version as this class writes it */
function parseVersion(value: unknown): ClientVersion {
  if (Array.isArray(value) && value.length === 3 && value.every((part) => Number.isSafeInteger(part) && part >= 0)) {
    const [major, minor, revision] = value as [number, number, number]
    return [major, minor, revision]
  }
  throw new Error('it does not hold a client version')
}
