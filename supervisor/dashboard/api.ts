/** Requests of the page to its own service. The session cookie goes with them by itself. */

/** An answer that is an error, in the service's words; status 0 where no answer came. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'ApiError'
    this.status = status
    this.code = code
  }
}

/** Longer than the service takes for anything: adding an account waits up to 20 s for its QR code. */
const DEADLINE_MS = 60_000

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'

/** Resolves with the answer's JSON; rejects with an ApiError that can be shown as it is. */
export async function request<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const response = await fetch(path, {
    method,
    signal: AbortSignal.timeout(DEADLINE_MS),
    ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ApiError(0, 'unreachable', 'The service does not answer. Is it running, and is this machine online?')
  })
  const answer = (await response.json().catch(() => undefined)) as
    { error?: { code: string; message: string } } | undefined
  if (response.ok) return answer as T
  const { code = 'unknown', message = `The service answered with ${response.status}.` } = answer?.error ?? {}
  throw new ApiError(response.status, code, message)
}

export function accountPath(accountId: string, rest = ''): string {
  return `/api/whatsapp/accounts/${encodeURIComponent(accountId)}${rest}`
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
