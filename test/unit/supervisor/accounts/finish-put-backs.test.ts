import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { finishPutBacks } from '../../../../supervisor/accounts/put-back.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'

t.test('a put-back that can not be read holds its own account, and no other', async (t) => {
  const session = 'account_b-2026-01-31T10-00-00Z-removed'
  const sessionsPath = t.testdir({ '.set-aside': { [session]: { 'session.log': 'a session' } } })
  const aside = join(sessionsPath, '.set-aside')
  // A directory in the wish's place is what an unreadable file looks like, for whatever user runs this.
  mkdirSync(join(aside, '.put-back-account_a'))
  writeFileSync(join(aside, '.put-back-account_b'), `${session}\n`)
  const { log, lines } = captureLog()
  const stuck = await finishPutBacks(sessionsPath, Date.now(), log)
  t.same([...stuck.keys()], ['account_a'])
  t.ok(existsSync(join(sessionsPath, 'account_b', 'session.log')), 'the other has come to its end')
  t.match(lines(), [{ event: 'session.put_back_failed', accountId: 'account_a' }, { event: 'session.put_back' }])
})
