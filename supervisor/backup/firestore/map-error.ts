import { messageOf } from '../../../shared/errors.ts'
import { BackupError, type BackupErrorCode } from '../target.ts'

/** gRPC's status codes (https://grpc.github.io/grpc/core/md_doc_statuscodes.html), each with what it means for a backup. */
const CODES: Readonly<Record<number, { name: string; code: BackupErrorCode }>> = {
  1: { name: 'CANCELLED', code: 'unreachable' },
  2: { name: 'UNKNOWN', code: 'failed' },
  3: { name: 'INVALID_ARGUMENT', code: 'failed' },
  4: { name: 'DEADLINE_EXCEEDED', code: 'unreachable' },
  5: { name: 'NOT_FOUND', code: 'not_found' },
  6: { name: 'ALREADY_EXISTS', code: 'failed' },
  7: { name: 'PERMISSION_DENIED', code: 'refused' },
  8: { name: 'RESOURCE_EXHAUSTED', code: 'over_quota' },
  9: { name: 'FAILED_PRECONDITION', code: 'failed' },
  10: { name: 'ABORTED', code: 'unreachable' },
  11: { name: 'OUT_OF_RANGE', code: 'failed' },
  12: { name: 'UNIMPLEMENTED', code: 'failed' },
  13: { name: 'INTERNAL', code: 'unreachable' },
  14: { name: 'UNAVAILABLE', code: 'unreachable' },
  15: { name: 'DATA_LOSS', code: 'damaged' },
  16: { name: 'UNAUTHENTICATED', code: 'refused' },
}

/** Two transactions met; this one may be tried again at once. */
const ABORTED = 10

const REMEDIES: Readonly<Partial<Record<BackupErrorCode, string>>> = {
  unreachable: 'The service tries again by itself.',
  over_quota: 'Raise the quota of the project, or wait: the service tries again by itself.',
  refused:
    'Check that GOOGLE_APPLICATION_CREDENTIALS names a current key of a service account of this project that has the role ' +
    'Cloud Datastore User (roles/datastore.user), and that the clock of this machine is right.',
  not_found: 'Check FIRESTORE_PROJECT_ID, and that the project has a Firestore database in native mode.',
}

/** The library's texts when there are no usable credentials: it gives them no code. */
const NO_CREDENTIALS = /credential|private key|invalid_grant|invalid_client|universe domain/i
/** Node's, when the library asked for a token over a network that is not there. */
const NO_NETWORK = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|socket hang up/
/** A message of the library may quote what it was given: enough of it to be understood, on one line. */
const LONGEST_DETAIL = 200

/**
 * What a call to Firestore failed with, as a BackupError with the remedy. Without the original as its cause: that carries
 * the metadata of the call. `what`: the step, as in "Reading the accounts".
 */
export function mapError(error: unknown, what: string): BackupError {
  if (error instanceof BackupError) return error
  const status = statusOf(error)
  const detail = messageOf(error).replace(/\s+/g, ' ').slice(0, LONGEST_DETAIL)
  const known = status === undefined ? undefined : CODES[status]
  const code = known?.code ?? codeOfText(detail)
  const remedy = REMEDIES[code]
  return new BackupError(
    code,
    `${what}: Firestore ${code === 'unreachable' ? 'can not be reached' : 'said no'} ` +
      `(${known === undefined ? '' : `${known.name}: `}${detail}).${remedy === undefined ? '' : ` ${remedy}`}`,
  )
}

export function isContention(error: unknown): boolean {
  return statusOf(error) === ABORTED
}

function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined
}

function codeOfText(text: string): BackupErrorCode {
  if (NO_NETWORK.test(text)) return 'unreachable'
  return NO_CREDENTIALS.test(text) ? 'refused' : 'failed'
}
