import { isIP } from 'node:net'
import { readCredential } from './config-credentials.ts'

/** Who may ask the service, and whose word counts about who asks. */
export interface AccessConfig {
  /** Undefined: one is made on the first start. */
  readonly adminToken: string | undefined
  /** Undefined: only ADMIN_TOKEN and access tokens let anybody look. */
  readonly viewerToken: string | undefined
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[]
}

export const ACCESS_SETTINGS = ['ADMIN_TOKEN', 'VIEWER_TOKEN', 'TRUSTED_PROXIES'] as const

/**
 * Where others can reach the port, by HOST or through a proxy, a token that can be guessed is none: nothing but its length
 * holds against guessing (see the guard). 16 characters of hex are 64 bits.
 */
export const MIN_TOKEN_LENGTH = 16

/** @param credentialsDirectory systemd's $CREDENTIALS_DIRECTORY */
export function parseAccess(
  get: (name: (typeof ACCESS_SETTINGS)[number]) => string | undefined,
  host: string,
  credentialsDirectory: string | undefined,
  errors: string[],
): AccessConfig {
  const adminToken = get('ADMIN_TOKEN') ?? readCredential(credentialsDirectory, 'admin-token', errors)
  if (adminToken !== undefined && !/^[\x21-\x7e]+$/.test(adminToken)) {
    errors.push(
      'ADMIN_TOKEN has characters that an Authorization header can not carry: use printable ASCII without spaces.',
    )
  }
  const proxies = trustedProxies(get('TRUSTED_PROXIES'), errors)
  const isOpen = !isLoopback(host)
  if (isOpen && adminToken === undefined) {
    errors.push(`HOST is "${host}", which others can reach: set ADMIN_TOKEN as well, or leave HOST at 127.0.0.1.`)
  } else if ((isOpen || proxies.length > 0) && adminToken !== undefined && adminToken.length < MIN_TOKEN_LENGTH) {
    const where = isOpen ? `for HOST "${host}", which others can reach` : 'for TRUSTED_PROXIES, which let others in'
    errors.push(
      `ADMIN_TOKEN has ${adminToken.length} characters, too few ${where}: ` +
        `use at least ${MIN_TOKEN_LENGTH}, from \`openssl rand -hex 32\` say.`,
    )
  }
  return {
    adminToken,
    viewerToken: viewerToken(
      get('VIEWER_TOKEN') ?? readCredential(credentialsDirectory, 'viewer-token', errors),
      adminToken,
      errors,
    ),
    trustedProxies: proxies,
  }
}

/** Whether only this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function viewerToken(text: string | undefined, adminToken: string | undefined, errors: string[]): string | undefined {
  if (text === undefined) return undefined
  if (!/^[\x21-\x7e]+$/.test(text)) {
    errors.push(
      'VIEWER_TOKEN has characters that an Authorization header can not carry: use printable ASCII without spaces.',
    )
  } else if (text.length < MIN_TOKEN_LENGTH) {
    errors.push(
      `VIEWER_TOKEN has ${text.length} characters: use at least ${MIN_TOKEN_LENGTH}, from \`openssl rand -hex 32\` say.`,
    )
  } else if (text === adminToken) {
    errors.push('VIEWER_TOKEN is ADMIN_TOKEN: whoever may only look would be let do everything. Make another one.')
  }
  return text
}

/** Bits of an address of each family. */
const ADDRESS_BITS: Readonly<Record<number, number>> = { 4: 32, 6: 128 }

function trustedProxies(text: string | undefined, errors: string[]): string[] {
  const entries = (text ?? '').split(',').flatMap((entry) => entry.trim() || [])
  for (const entry of entries) {
    const [address = '', prefix] = entry.split('/')
    const bits = ADDRESS_BITS[isIP(address)]
    const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (bits ?? 0))
    if (bits === undefined || !isPrefix || entry.split('/').length > 2) {
      errors.push(
        `TRUSTED_PROXIES has "${entry}": list addresses and networks of your proxies, such as 127.0.0.1, 10.0.0.0/8, ::1.`,
      )
    } else if (prefix !== undefined && Number(prefix) === 0) {
      errors.push(`TRUSTED_PROXIES has "${entry}", which is everybody: anybody could then pretend any address.`)
    }
  }
  return entries
}
