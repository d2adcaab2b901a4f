import { resolve } from 'node:path'

/** Where sessions are kept, and by which setting. */
export interface SessionsPath {
  /** Absolute. */
  path: string
  /** `default` is no place for sessions that matter. */
  from: 'SESSIONS_PATH' | 'HETZNER_SESSIONS_PATH' | 'default'
  /** HETZNER_SESSIONS_PATH, where it counts: a mounted volume. Absolute. */
  volumePath: string | undefined
}

/**
 * What service and commands alike make of the environment. A variable of nothing but spaces is one that is not set.
 * @param cwd what relative paths are relative to
 */
export function sessionsPathOf(env: Readonly<Record<string, string | undefined>>, cwd: string): SessionsPath {
  const explicit = env['SESSIONS_PATH']?.trim() || undefined
  if (explicit !== undefined) return { path: resolve(cwd, explicit), from: 'SESSIONS_PATH', volumePath: undefined }
  const volume = env['HETZNER_SESSIONS_PATH']?.trim() || undefined
  if (volume === undefined) return { path: resolve(cwd, '.baileys_auth'), from: 'default', volumePath: undefined }
  const volumePath = resolve(cwd, volume)
  return { path: resolve(volumePath, 'baileys_auth'), from: 'HETZNER_SESSIONS_PATH', volumePath }
}
