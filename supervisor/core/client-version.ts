import type { ClientVersion } from '../../shared/ipc.ts'

/**
 * Which client version the fleet announces. WhatsApp refuses versions that are too old (405), all accounts alike, so it
 * is decided once for the fleet: WA_VERSION first; then the newest of what is known and was not refused: the one looked
 * up, the last that WhatsApp took, Baileys' own.
 */
export interface Versions {
  /** WA_VERSION. */
  readonly configured: ClientVersion | null
  /** The last one that WhatsApp took; kept over restarts. */
  readonly knownGood: ClientVersion | null
  /** Baileys' own, as the first worker says. */
  readonly bundled: ClientVersion | null
  /** What the last look-up brought. */
  readonly latest: ClientVersion | null
  /** Refused since they were last taken. */
  readonly refused: readonly ClientVersion[]
}

export interface VersionStep {
  readonly versions: Versions
  /** Workers shall announce this from now on; undefined: nothing changes. */
  readonly order?: ClientVersion
  /** WhatsApp took this one for the first time: worth keeping. */
  readonly keep?: ClientVersion
  /** Every version that is known was refused: only a newer one helps. */
  readonly lookUp?: true
}

/** What a worker is told at its start: an order where there has to be one, else what it shall not fall behind. */
export function startOrder(v: Versions): { version: ClientVersion | null; knownGood: ClientVersion | null } {
  const needed = v.configured !== null || v.refused.length > 0
  return { version: needed ? (best(v) ?? null) : null, knownGood: v.knownGood }
}

/** WhatsApp took a version, or refused it. */
export function onVerdict(v: Versions, version: ClientVersion, accepted: boolean): VersionStep {
  const others = v.refused.filter((known) => !isSame(known, version))
  if (accepted) {
    const isNews = v.knownGood === null || !isSame(v.knownGood, version)
    const versions = { ...v, refused: others, knownGood: version }
    return isNews ? { versions, keep: version } : { versions }
  }
  const versions = { ...v, refused: [...others, version] }
  const order = best(versions)
  return order === undefined ? { versions, lookUp: true } : { versions, order }
}

/** The look-up is over. */
export function onLookedUp(v: Versions, latest: ClientVersion): VersionStep {
  const versions = { ...v, latest }
  const isUseful = v.refused.length > 0 && !v.refused.some((known) => isSame(known, latest))
  return isUseful ? { versions, order: latest } : { versions }
}

/** The version that WhatsApp refuses while there is no other; null while there is one to announce. */
export function stuckOn(v: Versions): ClientVersion | null {
  return best(v) === undefined ? (v.refused.at(-1) ?? null) : null
}

export function isSame(a: ClientVersion, b: ClientVersion): boolean {
  return a.every((part, index) => part === b[index])
}

function best(v: Versions): ClientVersion | undefined {
  const isOpen = (version: ClientVersion | null): version is ClientVersion =>
    version !== null && !v.refused.some((refused) => isSame(refused, version))
  if (isOpen(v.configured)) return v.configured
  return [v.latest, v.knownGood, v.bundled].filter(isOpen).sort(newestFirst)[0]
}

function newestFirst(a: ClientVersion, b: ClientVersion): number {
  return b[0] - a[0] || b[1] - a[1] || b[2] - a[2]
}
