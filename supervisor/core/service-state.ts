import type { ConnectionStatus } from '../../shared/states.ts'

/** What the service is to whoever watches it from outside: systemd's STATUS line, and whether the watchdog is fed. */
export interface ServiceState {
  phase: 'starting' | 'running' | 'stopping'
  counts: Readonly<Record<ConnectionStatus, number>>
  /** What is wrong with the whole fleet, in words. */
  trouble: string | null
  /** Why nothing can be written, in words. */
  storageProblem: string | null
  /** Monotonic ms at which the disk last answered a probe, well or not. */
  storageAnsweredMs: number
}

/** "28/30 connected, 1 connecting, 1 needs QR"; what is wrong with all comes first. */
export function statusLine({ phase, counts, trouble, storageProblem }: ServiceState): string {
  if (phase === 'starting') return 'Starting'
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0)
  const { connected, connecting, disconnected, needs_qr: needsQr } = counts
  if (phase === 'stopping') return `Stopping: ${total} accounts flush`
  const rest = [
    ...(connecting > 0 ? [`${connecting} connecting`] : []),
    ...(disconnected > 0 ? [`${disconnected} disconnected`] : []),
    ...(needsQr > 0 ? [`${needsQr} needs QR`] : []),
  ]
  const accounts = total === 0 ? 'no accounts yet' : [`${connected}/${total} connected`, ...rest].join(', ')
  const wrong = [
    ...(storageProblem === null ? [] : [`STORAGE: ${storageProblem}`]),
    ...(trouble === null ? [] : [trouble]),
  ]
  return [...wrong, accounts].join(' | ')
}

/**
 * The probe of the disk comes every 30 s. A network volume may stand still for a good part of a minute while it moves, and
 * a restart brings every account down: only a disk that says nothing for longer is the end.
 */
export const STORAGE_SILENT_MS = 30_000 + 60_000

/**
 * Whether the watchdog is to be fed. That this is asked at all is the loop's own sign of life. A disk that answers is
 * sound, also when it says that it is full or read-only: a restart makes no room, and the page has to say why nothing
 * connects. One that does not answer at all holds threads that only the end of the process lets go of.
 */
export function isSound({ phase, storageAnsweredMs }: ServiceState, nowMs: number): boolean {
  // The way down has its own deadlines, and the probe has stopped.
  return phase !== 'running' || nowMs - storageAnsweredMs < STORAGE_SILENT_MS
}
