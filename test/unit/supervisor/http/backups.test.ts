import t from 'tap'
import { BEARER, recordOf, startHttpService } from '../../../fixtures/http-service.ts'

const post = (url: string) => ({ method: 'POST' as const, url, headers: BEARER })
const ONE = '/api/whatsapp/accounts/a/backup-now'

t.test('backup-now asks for one account or for all, and answers with what is to be saved', async (t) => {
  const asked: (readonly string[])[] = []
  const service = await startHttpService({
    sessionsPath: t.testdir({}),
    records: [recordOf('a'), recordOf('b')],
    backups: {
      health: { state: 'ok', oldestUnsavedMs: null },
      viewOf: () => null,
      saveNow: (accountIds) => {
        asked.push(accountIds)
        return accountIds.filter((accountId) => accountId === 'a')
      },
    },
  })
  t.teardown(service.stop)
  for (const url of ['/api/whatsapp/backup-now', ONE]) {
    const response = await service.app.inject(post(url))
    t.equal(response.statusCode, 200)
    t.strictSame(response.json(), { success: true, pending: ['a'] })
  }
  t.strictSame(asked, [['a', 'b'], ['a']])
  t.equal((await service.app.inject({ method: 'POST', url: ONE })).statusCode, 401)
  const unknown = await service.app.inject(post('/api/whatsapp/accounts/c/backup-now'))
  t.equal(unknown.statusCode, 404)
  t.match(unknown.json(), { error: { code: 'account_not_found' } })
  t.equal(asked.length, 2)
})

t.test('backup-now where no backups are kept is a conflict that names the setting', async (t) => {
  const service = await startHttpService({ sessionsPath: t.testdir({}), records: [recordOf('a')] })
  t.teardown(service.stop)
  for (const url of ['/api/whatsapp/backup-now', ONE]) {
    const response = await service.app.inject(post(url))
    t.equal(response.statusCode, 409)
    t.match(response.json(), { error: { code: 'backups_disabled', message: /FIRESTORE_PROJECT_ID/ } })
  }
})
