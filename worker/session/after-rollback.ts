import type { AuthenticationCreds } from '@whiskeysockets/baileys'

/**
 * More prekeys than are handed out between two states that a person would go back over: Baileys uploads 812 with a
 * pairing and 5 at a time after it. Ids have 24 bits: there is room for 16,000 rollbacks.
 */
export const PRE_KEY_MARGIN = 1000

/**
 * The creds of an older state of a session that is to be used again (a recovery, a backup).
 *
 * What WhatsApp and contacts have seen since is not in it: prekeys that were uploaded after that state have ids that
 * Baileys would give once more, to other keys. Hence the next id is raised past them. As many as lie between the first
 * that is not uploaded and the next are taken for made but not uploaded (generateOrGetPreKeys), so the two are set equal:
 * nothing is waiting. The newest prekey is then missing from the store, which makes Baileys upload new ones at its next
 * login (uploadPreKeysToServerIfRequired). The older ones stay: contacts may still begin with them.
 *
 * @param newest creds of the same identity that may be newer than those that are kept: only their counter is used
 */
export function afterRollback(creds: AuthenticationCreds, newest?: AuthenticationCreds): AuthenticationCreds {
  const handedOut = Math.max(
    creds.nextPreKeyId,
    creds.firstUnuploadedPreKeyId,
    newest?.nextPreKeyId ?? 0,
    newest?.firstUnuploadedPreKeyId ?? 0,
  )
  const nextPreKeyId = handedOut + PRE_KEY_MARGIN
  return { ...creds, nextPreKeyId, firstUnuploadedPreKeyId: nextPreKeyId }
}
