import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSession } from '../../worker/session/session.ts'

/** `peers`: their devices' sessions; `groups`: each with as many sender keys as members. */
export const SESSIONS = {
  fresh: { peers: 5, groups: 1, members: 5, sessionBytes: 1200 },
  used: { peers: 200, groups: 20, members: 20, sessionBytes: 1900 },
  // 3,000 peers: an account that has written to a whole town, to see when parts are needed.
  large: { peers: 3000, groups: 50, members: 40, sessionBytes: 1900 },
} as const

/**
 * A record of a Signal session is JSON: keys in base64 and the words around them. A third of it is random, as in a record
 * with one chain in each direction and no skipped messages.
 */
function signalRecord(sizeBytes: number): Buffer {
  const words = '{"registrationId":12345,"currentRatchet":{"ephemeralKeyPair":{"pubKey":"","privKey":""},"rootKey":""},'
  const text = words + randomBytes(sizeBytes / 4).toString('base64')
  return Buffer.from(text.padEnd(sizeBytes, ',"messageKeys":{},"chainType":1,"baseKeyType":2'))
}

/** Keys and records are random bytes in the shapes and sizes of real ones: they compress a little worse. */
export async function logOf(kind: keyof typeof SESSIONS): Promise<Buffer> {
  const { peers, groups, members, sessionBytes } = SESSIONS[kind]
  const dir = mkdtempSync(join(tmpdir(), 'backup-bench-'))
  try {
    const session = await openSession({ dir })
    const { keys } = session.authState
    const pair = (): { public: Buffer; private: Buffer } => ({ public: randomBytes(32), private: randomBytes(32) })
    const many = <T>(count: number, make: () => T, name = (at: number): string => String(at + 1)): Record<string, T> =>
      Object.fromEntries(Array.from({ length: count }, (_, at) => [name(at), make()]))
    await keys.set({ 'pre-key': many(812, pair) })
    await keys.set({
      session: many(
        peers,
        () => signalRecord(sessionBytes),
        (at) => `4915${at}.0`,
      ),
    })
    for (let group = 0; group < groups; group++) {
      await keys.set({
        'sender-key': many(
          members,
          () => signalRecord(630),
          (at) => `1203${group}@g.us::4915${at}::0`,
        ),
      })
    }
    await session.saveCreds()
    const { bytes } = await session.snapshot()
    await session.close()
    return bytes
  } finally {
    rmSync(dir, { recursive: true })
  }
}
