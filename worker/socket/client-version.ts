import { DEFAULT_CONNECTION_CONFIG } from '@whiskeysockets/baileys'
import type { ClientVersion } from '../../shared/ipc.ts'

const [major = 0, minor = 0, revision = 0] = DEFAULT_CONNECTION_CONFIG.version

/** Baileys' own. */
export const BUNDLED_VERSION: ClientVersion = [major, minor, revision]

/**
 * The client version that a socket announces. Without an order of the supervisor's: the newer of the last one that
 * WhatsApp took and of Baileys' own, which an upgrade of Baileys may have moved on.
 */
export function versionToAnnounce(
  order: { version: ClientVersion | null; knownGood: ClientVersion | null },
  bundled: ClientVersion = BUNDLED_VERSION,
): ClientVersion {
  if (order.version !== null) return order.version
  return order.knownGood !== null && isNewer(order.knownGood, bundled) ? order.knownGood : bundled
}

function isNewer(a: ClientVersion, b: ClientVersion): boolean {
  const index = a.findIndex((part, i) => part !== b[i])
  return index >= 0 && (a[index] ?? 0) > (b[index] ?? 0)
}
