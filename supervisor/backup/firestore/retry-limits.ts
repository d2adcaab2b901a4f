import { createRequire } from 'node:module'

/*
 * Why: as it comes, the Firestore client goes on with a write for ten minutes after the application has given it up, and
 * with a read for 45 s or for as long as the server is silent. A write that lands late lands over newer ones; what never
 * settles blocks its document and holds memory. There is no option for it: `settings({ clientConfig })` changes neither
 * the limits that a commit is given nor the client's own loop around streams. All of them read the one JSON file below,
 * which is an object in memory once it was required: it is changed there, before the first client is made of it.
 *
 * With it, each call is one attempt of at most `timeoutMs`, and whoever called decides about the next one.
 *
 * Does it still work after an update? test/integration/supervisor/backup/outage.test.ts: calls at a dead and at a silent
 * port settle within their time. The shape that is relied upon is checked below: what does not fit is not changed, and said.
 */
const CONFIG_FILE = './v1/firestore_client_config.json'

/** Every loop that retries asks a list of codes first; empty lists end them all. */
const NO_CODES: readonly string[] = []

interface ClientConfig {
  interfaces: Record<
    string,
    {
      retry_codes: Record<string, readonly string[]>
      retry_params: Record<string, object>
      methods: Record<string, { timeout_millis: number }>
    }
  >
}

/**
 * Holds the calls of every Firestore client that is made after this to one attempt of `timeoutMs`. False where the
 * client's configuration is not the one of 13.10: then nothing was changed, and calls may take minutes to settle.
 */
export function limitRetries(timeoutMs: number): boolean {
  const config: unknown = readClientConfig()
  if (!isClientConfig(config)) return false
  for (const service of Object.values(config.interfaces)) {
    for (const name of Object.keys(service.retry_codes)) service.retry_codes[name] = NO_CODES
    for (const params of Object.values(service.retry_params)) {
      Object.assign(params, {
        initial_rpc_timeout_millis: timeoutMs,
        max_rpc_timeout_millis: timeoutMs,
        total_timeout_millis: timeoutMs,
      })
    }
    for (const method of Object.values(service.methods)) method.timeout_millis = timeoutMs
  }
  return true
}

/** The file of the client that firebase-admin will load, not of another that may be installed beside it. */
function readClientConfig(): unknown {
  try {
    const admin = createRequire(import.meta.url).resolve('firebase-admin')
    const client = createRequire(admin).resolve('@google-cloud/firestore')
    return createRequire(client)(CONFIG_FILE)
  } catch {
    // Moved or renamed: the caller is told that nothing was changed.
    return undefined
  }
}

function isClientConfig(value: unknown): value is ClientConfig {
  if (typeof value !== 'object' || value === null || !('interfaces' in value)) return false
  const services: unknown[] = Object.values(value.interfaces as object)
  return (
    services.length > 0 &&
    services.every(
      (service) =>
        typeof service === 'object' &&
        service !== null &&
        'retry_codes' in service &&
        'retry_params' in service &&
        'methods' in service,
    )
  )
}
