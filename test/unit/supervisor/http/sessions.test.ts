import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { finishPutBacks } from '../../../../supervisor/accounts/put-back.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { BEARER, recordOf, startHttpService, type HttpService } from '../../../fixtures/http-service.ts'

const NEW = 'a-2026-01-02T00-00-00Z-logged_out'
const OLD = 'a-2026-01-01T00-00-00Z-removed'
const creds = (phone: string): string => JSON.stringify({ me: { id: `${phone}:3@s.whatsapp.net`, name: 'Owner' } })

/** Two paused accounts, so that nothing is started, and what was set aside of them and of others. */
async function started(
  t: Test,
  maxAccounts = 3,
): Promise<HttpService & { sessionsPath: string; aside: () => string[] }> {
  const sessionsPath = t.testdir({
    a: { 'session.log': 'present' },
    '.set-aside': {
      [OLD]: { 'session.log': 'old', 'creds.json': creds('40712345678'), imported: { 'creds.json': 'x' } },
      [NEW]: { 'session.log': 'new', 'creds.json': '{' },
      'gone-2026-01-03T00-00-00Z-removed': { 'session.log': 'gone', 'creds.json': creds('40700000009') },
      'b-2026-01-01T00-00-00Z-removed': { 'session.log': 'of b', 'creds.json': creds('40700000002') },
      'b-2026-01-01T00-00-00Z-purging': { 'session.log': 'doomed' },
      '.pruning-b-2026-01-01T00-00-00Z-removed': { 'session.log': 'half' },
      'notes of somebody': {},
    },
  })
  symlinkSync(join(sessionsPath, 'a'), join(sessionsPath, '.set-aside', 'a-2026-01-09T00-00-00Z-removed'))
  const records = [recordOf('a', '+40712345678'), recordOf('b', '+40700000002')].map((record) => ({
    ...record,
    desired: 'paused' as const,
  }))
  const service = await startHttpService({ sessionsPath, records, maxAccounts })
  t.teardown(service.stop)
  const aside = (): string[] =>
    readdirSync(join(sessionsPath, '.set-aside')).filter((name) => name.includes('replaced_by_put_back'))
  return { ...service, sessionsPath, aside }
}

const putBack = (service: HttpService, accountId: string, session: string) =>
  service.app.inject({
    method: 'POST',
    url: `/api/whatsapp/accounts/${accountId}/put-back`,
    headers: { ...BEARER, 'content-type': 'application/json' },
    payload: JSON.stringify({ session }),
  })

t.test('the list: newest first, phones masked, and nothing that is no session', async (t) => {
  const { app } = await started(t)
  const response = await app.inject({ url: '/api/whatsapp/sessions/set-aside', headers: BEARER })
  t.equal(response.statusCode, 200)
  t.strictSame(response.json(), {
    success: true,
    sessions: [
      ['gone-2026-01-03T00-00-00Z-removed', 'gone', 'removed', '2026-01-03', '+407****09', 'gone', '40700000009'],
      [NEW, 'a', 'logged_out', '2026-01-02', null, 'new{', ''],
      [OLD, 'a', 'removed', '2026-01-01', '+407****78', 'oldx', '40712345678'],
      ['b-2026-01-01T00-00-00Z-removed', 'b', 'removed', '2026-01-01', '+407****02', 'of b', '40700000002'],
    ].map(([id, accountId, reason, day, phone, content, number]) => ({
      id,
      accountId,
      reason,
      setAsideAt: `${day}T00:00:00.000Z`,
      phone,
      sizeBytes: String(content).length + (number ? creds(number).length : 0),
    })),
  })
})

t.test('two at once on one account: one wins, the same twice is once', async (t) => {
  const service = await started(t)
  const answers = await Promise.all([
    putBack(service, 'a', OLD),
    putBack(service, 'a', NEW),
    putBack(service, 'a', OLD),
  ])
  const won = answers.map(({ statusCode }) => statusCode)
  const inPlace = readFileSync(join(service.sessionsPath, 'a', 'session.log'), 'utf8')
  t.same(won, inPlace === 'old' ? [200, 409, 200] : [409, 200, 409])
  t.match(answers.find(({ statusCode }) => statusCode === 409)?.json(), { error: { code: 'session_in_use' } })
  t.equal(service.aside().length, 1)
  t.equal(service.registry.get('a')?.record.desired, 'paused')
})

t.test('a session of another phone, or of one that nobody knows, goes nowhere else', async (t) => {
  const service = await started(t)
  for (const [accountId, session] of [
    ['b', OLD],
    ['b', NEW],
    ['a', 'b-2026-01-01T00-00-00Z-removed'],
  ] as const) {
    const answer = await putBack(service, accountId, session)
    t.equal(answer.statusCode, 409)
    t.match(answer.json(), { error: { code: 'session_mismatch' } }, `${session} to ${accountId}`)
    t.notMatch(answer.body, /\d{7}/, 'no whole number')
  }
  t.equal((await putBack(service, 'a', NEW)).statusCode, 200, 'to its own account it does')
})

t.test('what is not there, is being destroyed, is a link or leads elsewhere is not found', async (t) => {
  const service = await started(t)
  for (const session of [
    'a-2026-01-05T00-00-00Z-removed',
    'a-2026-01-09T00-00-00Z-removed',
    'b-2026-01-01T00-00-00Z-purging',
    'notes of somebody',
    '../a',
  ]) {
    const answer = await putBack(service, 'a', session)
    t.match(answer.json(), { error: { code: 'set_aside_not_found' } }, session)
    t.equal(answer.statusCode, 404)
  }
  t.match((await putBack(service, 'nobody', OLD)).json(), { error: { code: 'account_not_found' } })
  t.equal((await putBack(service, '%2e%2e%2fa', OLD)).statusCode, 400)
})

t.test('a session that another program holds stays where it is', async (t) => {
  const service = await started(t)
  const lock = await lockSession({ dir: join(service.sessionsPath, '.set-aside', OLD), waitMs: 0 })
  const answer = await putBack(service, 'a', OLD)
  t.equal(answer.statusCode, 409)
  t.match(answer.json(), { error: { code: 'session_in_use' } })
  t.equal(readFileSync(join(service.sessionsPath, 'a', 'session.log'), 'utf8'), 'present')
  await lock.release()
  t.equal((await putBack(service, 'a', OLD)).statusCode, 200, 'and then it goes')
})

t.test('a full house takes no removed account back', async (t) => {
  const service = await started(t, 2)
  const answer = await putBack(service, 'gone', 'gone-2026-01-03T00-00-00Z-removed')
  t.match(answer.json(), { error: { code: 'too_many_accounts' } })
  t.equal(service.registry.size, 2)
})

t.test('a put-back that cannot come to its end keeps the account down until it is asked for again', async (t) => {
  const service = await started(t)
  const { fleet, sessionsPath } = service
  writeFileSync(join(sessionsPath, '.set-aside', '.put-back-a'), `${OLD}\n`)
  const lock = await lockSession({ dir: join(sessionsPath, '.set-aside', OLD), waitMs: 0 })
  fleet.holdPutBacks(new Map([['a', OLD]]))
  const resume = await service.app.inject({ method: 'POST', url: '/api/whatsapp/accounts/a/resume', headers: BEARER })
  t.match(resume.json(), { error: { code: 'session_in_use' } })
  t.match((await putBack(service, 'a', NEW)).json(), { error: { code: 'session_in_use' } })
  await lock.release()
  t.equal((await putBack(service, 'a', OLD)).statusCode, 200)
  t.equal(readFileSync(join(sessionsPath, 'a', 'session.log'), 'utf8'), 'old')
  t.notOk(existsSync(join(sessionsPath, '.set-aside', '.put-back-a')))
  t.equal((await putBack(service, 'a', NEW)).statusCode, 200, 'and it is over')
})

t.test('a start finishes what a crash cut short', async (t) => {
  const sessionsPath = t.testdir({ '.set-aside': { [OLD]: { 'session.log': 'old' }, '.put-back-a': `${OLD}\n` } })
  mkdirSync(join(sessionsPath, 'b'))
  writeFileSync(join(sessionsPath, '.set-aside', '.put-back-b'), 'b-2026-01-01T00-00-00Z-removed\n')
  const { log, lines } = captureLog()
  t.same(await finishPutBacks(sessionsPath, 0, log), new Map())
  t.equal(readFileSync(join(sessionsPath, 'a', 'session.log'), 'utf8'), 'old')
  const left = readdirSync(join(sessionsPath, '.set-aside')).filter((name) => !name.startsWith('.pruning-'))
  t.same(left, [], 'one was done already: only its wish was left')
  t.equal(lines().filter(({ event }) => event === 'session.put_back').length, 2)
})

t.test('only a damaged account is recovered, and only in a way that there is', async (t) => {
  const { app } = await started(t)
  const recover = (accountId: string, body: object) =>
    app.inject({
      method: 'POST',
      url: `/api/whatsapp/accounts/${accountId}/recover`,
      headers: { ...BEARER, 'content-type': 'application/json' },
      payload: JSON.stringify(body),
    })
  t.match((await recover('a', { from: 'thin air' })).json(), {
    error: { code: 'bad_request', message: /at from: it must be readable or previous or backup/ },
  })
  t.match((await recover('a', { from: 'readable' })).json(), { error: { code: 'account_paused' } })
  t.match((await recover('nobody', { from: 'readable' })).json(), { error: { code: 'account_not_found' } })
})
