import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { fileURLToPath } from 'node:url'
import { initAuthCreds } from '@whiskeysockets/baileys'
import t from 'tap'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { serializeCreds } from '../../../../worker/session/creds.ts'
import { openSession } from '../../../../worker/session/session.ts'

const COMMAND = fileURLToPath(new URL('../../../../worker/session/session-command.js', import.meta.url))

t.test('the command line recovers, lists and puts back while the service is stopped', async (t) => {
  const linked = { ...initAuthCreds(), me: { id: '40700000001:1@s.whatsapp.net' }, account: {} }
  const sessionsPath = t.testdir({ a: { 'creds.json': serializeCreds(linked) } })
  const run = async (...args: string[]): Promise<{ code: number; text: string }> => {
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [COMMAND, ...args, '--sessions', sessionsPath])
      return { code: 0, text: stdout }
    } catch (error) {
      const { code, stderr } = error as { code: number; stderr: string }
      return { code, text: stderr }
    }
  }
  const session = await openSession({ dir: join(sessionsPath, 'a') })
  for (let at = 0; at < 5; at++) await session.authState.keys.set({ 'lid-mapping': { key: String(at) } })
  await session.close()
  t.match(await run('recover', 'a', '--from', 'readable'), { code: 0, text: /is whole: nothing was done/ })
  t.match(await run('set-aside', 'a'), { code: 0, text: /has no session in/ })

  t.match(await run('check', 'a', '--linked'), { code: 0, text: /a is whole/ })
  mkdirSync(join(sessionsPath, 'unlinked'))
  const unlinked = await openSession({ dir: join(sessionsPath, 'unlinked') })
  await unlinked.close()
  t.match(await run('check', 'unlinked'), { code: 0 })
  t.match(await run('check', 'unlinked', '--linked'), { code: 65, text: /is linked to no phone/ })
  rmSync(join(sessionsPath, 'unlinked'), { recursive: true })

  const path = join(sessionsPath, 'a', 'session.log')
  const damaged = readFileSync(path)
  damaged[damaged.length - 3] = (damaged.at(-3) ?? 0) ^ 0xff
  writeFileSync(path, damaged)
  t.match(await run('check', 'a'), { code: 65, text: /Recover it from its readable part/ })
  t.match(await run('recover', 'a'), { code: 64, text: /--from is missing/ })
  t.match(await run('recover', 'a', '--from', 'previous'), { code: 65, text: /There is no .*session.log.prev/ })
  const lock = await lockSession({ dir: join(sessionsPath, 'a'), waitMs: 0 })
  t.match(await run('recover', 'a', '--from', 'readable'), { code: 75 })
  await lock.release()
  t.same(readdirSync(sessionsPath), ['a'], 'none of it has set anything aside')

  t.match(await run('recover', 'a', '--from', 'readable'), { code: 0, text: /1 lost/ })
  const again = await openSession({ dir: join(sessionsPath, 'a') })
  t.same(await again.authState.keys.get('lid-mapping', ['key']), { key: '3' })
  t.match(again.recovery, { from: 'readable', recordsLost: 1 })
  await again.close()

  const [id = ''] = readdirSync(join(sessionsPath, '.set-aside'))
  t.match(await run('set-aside', 'a'), { code: 0, text: id })
  t.match(await run('put-back', 'a', 'b-2026-01-01T00-00-00Z-removed'), { code: 64 })
  t.match(await run('put-back', 'a', 'a-2026-01-01T00-00-00Z-removed'), { code: 66 })
  t.match(await run('put-back', 'a', id), { code: 0, text: /is the session of a again/ })
  t.ok(readFileSync(path).equals(damaged), 'the damaged log is back, as it was')
  t.match(readdirSync(join(sessionsPath, '.set-aside')), [/-replaced_by_put_back$/])
})
