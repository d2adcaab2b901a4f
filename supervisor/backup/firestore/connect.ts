import { createPrivateKey, randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Clock } from '../../../shared/clock.ts'
import { errnoOf, messageOf } from '../../../shared/errors.ts'
import type { Log } from '../../../shared/log.ts'
import { BackupError } from '../target.ts'
import { mapError } from './map-error.ts'
import { limitRetries } from './retry-limits.ts'
import { FirestoreTarget } from './target.ts'

/** A write of one document of 900 KiB over a line of 0.5 Mbit/s. */
const DEADLINE_MS = 15_000

const CONNECTION = {
  // Reads have a loop of their own in the library beneath; this option gives it the limits of retry-limits.ts.
  gaxServerStreamingRetries: true,
  // A connection that a router forgot looks alive for 15 minutes: 30 s is what Firestore's own mobile clients use.
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // While down, gRPC waits up to two minutes before it looks again: the caller's own backoff is long enough.
  'grpc.max_reconnect_backoff_ms': 10_000,
} as const

export type FirestoreTargetSettings = {
  projectId: string
  /** FIRESTORE_PREFIX: before each collection's name. */
  prefix: string
  /** Of a call that is one step, ms; see BackupTarget and FirestoreTargetOptions. Reads have at most 10 s. */
  deadlineMs?: number
  clock: Clock
  log: Log
  /** What one document holds; a test makes it small. */
  largestDataBytes?: number
} & (
  | { /** GOOGLE_APPLICATION_CREDENTIALS: a JSON key file. */ credentialsPath: string }
  | { /** FIRESTORE_EMULATOR_HOST: host:port, without TLS and credentials. */ emulatorHost: string }
)

/**
 * The one place that loads firebase-admin: 18 MiB and 0.4 s of CPU that an unconfigured service does not pay. Opens no
 * connection yet. Rejects with a BackupError: `refused` when the credentials file can not be used.
 */
export async function createFirestoreTarget(settings: FirestoreTargetSettings): Promise<FirestoreTarget> {
  const { projectId, prefix, deadlineMs = DEADLINE_MS, clock, log, largestDataBytes } = settings
  if ('credentialsPath' in settings) await checkCredentials(settings.credentialsPath)
  // The libraries read it from the environment alone. Without it they look for a cloud's metadata server, which answers
  // nobody outside of that cloud; with credentials or an emulator there is nothing to ask it for.
  // eslint-disable-next-line no-restricted-properties
  process.env.METADATA_SERVER_DETECTION ??= 'none'
  if (!limitRetries(deadlineMs)) {
    log.warn(
      { event: 'backup.retry_limits_unknown' },
      'this version of the Firestore client has other settings: calls that get no answer may take minutes to settle',
    )
  }
  try {
    const { initializeApp, deleteApp } = await import('firebase-admin/app')
    const { getFirestore } = await import('firebase-admin/firestore')
    // Named, so that a second target (another project, a test) is another app.
    const app = initializeApp({ projectId }, `backup-${randomUUID()}`)
    const db = getFirestore(app)
    db.settings({
      ...CONNECTION,
      ...('credentialsPath' in settings
        ? { keyFilename: settings.credentialsPath }
        : { host: settings.emulatorHost, ssl: false }),
    })
    const disconnect = async (): Promise<void> => {
      await db.terminate()
      await deleteApp(app)
    }
    return new FirestoreTarget(db, {
      prefix,
      deadlineMs,
      clock,
      log,
      disconnect,
      ...(largestDataBytes !== undefined && { largestDataBytes }),
    })
  } catch (error) {
    throw mapError(error, 'Loading the Firestore client')
  }
}

/** What is wrong with the file, in words that hold nothing of it: the library would say so at the first call, and less. */
async function checkCredentials(path: string): Promise<void> {
  const problem = await problemOfCredentials(path)
  if (problem === undefined) return
  throw new BackupError(
    'refused',
    `The credentials file ${path} (GOOGLE_APPLICATION_CREDENTIALS) ${problem}. Download a key of a service account with ` +
      'the role Cloud Datastore User as JSON, and name that file.',
  )
}

async function problemOfCredentials(path: string): Promise<string | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    return `can not be read: ${errnoOf(error) ?? messageOf(error)}`
  }
  const key = parseObject(text)
  if (key === undefined) return 'is not a JSON object'
  if (typeof key.type !== 'string') return 'has no "type": it is not a key file'
  // Others (workload identity and the like) are checked by who they are of.
  if (key.type !== 'service_account') return undefined
  if (typeof key.client_email !== 'string') return 'has no "client_email"'
  if (typeof key.private_key !== 'string') return 'has no "private_key"'
  try {
    createPrivateKey(key.private_key)
    return undefined
  } catch {
    return 'holds a "private_key" that is not one in PEM'
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined
  } catch {
    // The parser's message would quote the file.
    return undefined
  }
}
