import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import type { AccountRecord } from '../../../../supervisor/accounts/store.ts'
import { recordOf, startHttpService, type HttpService } from '../../../fixtures/http-service.ts'
import { settle } from '../../../fixtures/manual-clock.ts'

const ASIDE = 'a-2026-01-01T00-00-00Z-removed'

/** One account and a session of it that was set aside. Nothing here may start a worker: none of them is to run. */
async function started(
  t: Test,
  desired: AccountRecord['desired'],
): Promise<HttpService & { record: AccountRecord; place: string }> {
  const sessionsPath = t.testdir({
    a: { 'session.log': 'present' },
    '.set-aside': { [ASIDE]: { 'session.log': 'old' } },
  })
  const record = { ...recordOf('a'), desired }
  const service = await startHttpService({ sessionsPath, records: [record] })
  t.teardown(service.stop)
  return { ...service, record, place: join(sessionsPath, 'a') }
}

t.test('a put-back that could not be finished keeps its account down, also in a restart of all', async (t) => {
  const { fleet, registry } = await started(t, 'running')
  fleet.holdPutBacks(new Map([['a', ASIDE]]))
  fleet.restartAll()
  t.equal(registry.get('a')?.child.state.name, 'absent')
})

t.test('an account that is just being resumed starts when its put-back is over, not before', async (t) => {
  const { fleet, registry, record, place } = await started(t, 'paused')
  const lock = await lockSession({ dir: place, waitMs: 0 })
  const resumed = fleet.resume('a')
  const putBack = fleet.putBack(record, ASIDE)
  await resumed
  t.equal(registry.get('a')?.child.state.name, 'absent', 'its place may be empty now')
  await lock.release()
  await putBack
  t.equal(readFileSync(join(place, 'session.log'), 'utf8'), 'old')
  t.not(registry.get('a')?.child.state.name, 'absent', 'the operator wants it to run')
})

t.test('a wish of another account that can not be read is no reason to keep this one down', async (t) => {
  const { fleet, registry, record, place } = await started(t, 'running')
  mkdirSync(join(place, '..', '.set-aside', '.put-back-b'))
  await fleet.putBack(record, ASIDE)
  t.equal(readFileSync(join(place, 'session.log'), 'utf8'), 'old')
  t.not(registry.get('a')?.child.state.name, 'absent')
})

for (const ask of ['pair', 'restart'] as const) {
  t.test(`an account that a person asks for (${ask}) does not wait for its hour in the boot`, async (t) => {
    const { fleet, registry, record } = await started(t, 'running')
    fleet.boot([record], [600_000])
    t.equal(registry.get('a')?.child.state.name, 'queued')
    fleet[ask]('a')
    t.equal(registry.get('a')?.child.state.name, 'starting')
  })
}

t.test('what is asked of an account that is just being removed is refused, and it is removed', async (t) => {
  const { fleet, registry, retired, record, place } = await started(t, 'paused')
  const removed = fleet.remove('a', false)
  const refusal = { code: 'account_removing' }
  await Promise.all([
    t.rejects(fleet.resume('a'), refusal),
    t.rejects(fleet.pause('a'), refusal),
    t.rejects(fleet.putBack(record, ASIDE), refusal),
    removed,
  ])
  t.equal(registry.get('a'), undefined)
  t.match(retired, [{ accountId: 'a', desired: 'removed' }])
  t.equal(readFileSync(join(place, 'session.log'), 'utf8'), 'present', 'nothing was put back meanwhile')
})

t.test('a purge that is asked for while the account is being removed is one', async (t) => {
  const asked: Promise<void>[] = []
  const service = await startHttpService({
    sessionsPath: t.testdir(),
    records: [recordOf('a'), recordOf('b')],
    // The last moment: the session is being set aside.
    onRetire: ({ accountId }) => void (accountId === 'b' && asked.push(service.fleet.remove('b', true))),
  })
  t.teardown(service.stop)
  const { fleet, retired } = service
  await Promise.all([fleet.remove('a', false), fleet.remove('a', true), fleet.remove('a', false)])
  t.match(retired, [{ accountId: 'a', purge: true }])
  await fleet.remove('b', false)
  await Promise.all(asked)
  t.strictSame(
    retired.slice(1).map(({ accountId, purge }) => [accountId, purge]),
    [
      ['b', false],
      ['b', true],
    ],
  )
})

t.test('a purge of a removal that can not be saved is left to no later one', async (t) => {
  const { fleet, registry, retired, place } = await started(t, 'running')
  const inTheWay = join(place, '..', 'accounts.json')
  mkdirSync(inTheWay)
  const refusal = { code: 'storage_unavailable' }
  await Promise.all([t.rejects(fleet.remove('a', false), refusal), t.rejects(fleet.remove('a', true), refusal)])
  t.match(registry.get('a')?.record, { desired: 'running', purge: false })
  rmSync(inTheWay, { recursive: true })
  await fleet.remove('a', false)
  t.match(retired, [{ accountId: 'a', purge: false }])
})

t.test('a removal that is resumed at a start is the one that is asked for again', async (t) => {
  const { fleet, registry, retired, record } = await started(t, 'removed')
  fleet.resumeRemovals([record])
  await Promise.all([fleet.remove('a', true), fleet.remove('a', false)])
  t.match(retired, [{ accountId: 'a', purge: true }])
  t.equal(registry.get('a'), undefined)
})

t.test('an account that was found without a phone gets the one that it is added with', async (t) => {
  const { fleet, registry, place } = await started(t, 'running')
  const account = registry.get('a')
  if (account === undefined) throw new Error('no account')
  registry.put({ ...account, record: { ...account.record, phone: null } })
  fleet.restart('a')
  t.equal(registry.get('a')?.child.state.name, 'starting')
  await fleet.identify('a', { name: 'Shop', phone: '+40700000001' })
  t.equal(registry.get('a')?.child.state.name, 'stopping', 'a process learns its phone at its start')
  await fleet.identify('a', { phone: '+40700000002' })
  const expected = { name: 'Shop', phone: '+40700000001' }
  t.match(registry.get('a')?.record, expected, 'one that is known stays')
  t.match(JSON.parse(readFileSync(join(place, '..', 'accounts.json'), 'utf8')), { accounts: [expected] })
})

t.test('a pause and a resume of all connects at once leave memory and disk with the same word', async (t) => {
  const sessionsPath = t.testdir()
  const { fleet, stop } = await startHttpService({ sessionsPath })
  t.teardown(stop)
  for (let turn = 0; turn < 20; turn++) {
    const words = [fleet.pauseConnects(), fleet.resumeConnects(), fleet.pauseConnects(), fleet.pauseConnects()]
    if (turn % 2 === 0) words.push(fleet.resumeConnects())
    await Promise.all(words)
    t.equal(fleet.connectsPaused, turn % 2 === 1)
    t.equal(existsSync(join(sessionsPath, 'connects-paused')), fleet.connectsPaused)
  }
})

t.test('a recovery that a pause overtakes is not carried out by whatever starts later', async (t) => {
  const records = ['a', 'b', 'c'].map((id, index) => recordOf(id, `+4070000000${index}`))
  const { fleet, registry, stop } = await startHttpService({ sessionsPath: t.testdir(), records })
  t.teardown(stop)
  const damaged = registry.get('a')
  if (damaged === undefined) throw new Error('no account')
  const reason = 'session_damaged'
  registry.put({ ...damaged, child: { generation: 1, failures: 1, state: { name: 'given_up', reason } } })
  // These two are starting, and there are two slots.
  for (const id of ['b', 'c']) fleet.restart(id)
  const recovered = fleet.recover('a', 'readable')
  await settle()
  t.equal(registry.get('a')?.child.state.name, 'queued')
  await fleet.pause('a')
  await t.rejects(recovered, { code: 'account_paused' })
  t.equal(registry.get('a')?.recoverFrom, null)
})

t.test(
  'an account that is removed while its backup is waited for is waited for no more, and can be added anew',
  async (t) => {
    const { fleet, registry, record } = await started(t, 'running')
    fleet.awaitRestore('a', 'restore_waiting', null)
    t.ok(fleet.isAwaiting('a'))
    await fleet.remove('a', false)
    t.notOk(fleet.isAwaiting('a'))
    await fleet.add(record)
    t.not(registry.get('a')?.child.state.name, 'absent', 'it starts')
  },
)

t.test('a backup that comes while another session is being put back starts nothing', async (t) => {
  const { fleet, registry, record, place } = await started(t, 'running')
  fleet.awaitRestore('a', 'restoring', null)
  const lock = await lockSession({ dir: place, waitMs: 0 })
  const putBack = fleet.putBack(record, ASIDE)
  fleet.restored('a')
  t.equal(registry.get('a')?.child.state.name, 'absent', 'its place may be empty now')
  await lock.release()
  await putBack
  t.not(registry.get('a')?.child.state.name, 'absent')
})

t.test('a put-back that fails leaves an account that waits for its backup waiting', async (t) => {
  const { fleet, registry, record } = await started(t, 'running')
  fleet.awaitRestore('a', 'restore_waiting', null)
  await t.rejects(fleet.putBack(record, 'a-2026-01-01T00-00-01Z-removed'), { code: 'set_aside_not_found' })
  t.ok(fleet.isAwaiting('a'))
  t.equal(registry.get('a')?.child.state.name, 'absent')
})

t.test('a pause that is asked for twice and can not be saved stops nothing', async (t) => {
  const { fleet, registry, place } = await started(t, 'running')
  fleet.restart('a')
  const before = registry.get('a')?.child.state.name
  mkdirSync(join(place, '..', 'accounts.json', 'in the way'), { recursive: true })
  const refusal = { code: 'storage_unavailable' }
  await Promise.all([t.rejects(fleet.pause('a'), refusal), t.rejects(fleet.pause('a'), refusal)])
  t.equal(registry.get('a')?.child.state.name, before)
  t.equal(registry.get('a')?.record.desired, 'running')
})

t.test('a resume that can not be saved leaves nothing running that was started on its word', async (t) => {
  const { fleet, registry, place } = await started(t, 'paused')
  mkdirSync(join(place, '..', 'accounts.json', 'in the way'), { recursive: true })
  const resumed = fleet.resume('a')
  resumed.catch(() => undefined)
  t.ok(await registry.waitFor('a', ({ record }) => record.desired === 'running', 1000))
  fleet.restart('a')
  t.not(registry.get('a')?.child.state.name, 'absent')
  await t.rejects(resumed, { code: 'storage_unavailable' })
  t.ok(await registry.waitFor('a', ({ child }) => child.state.name === 'absent', 1000))
  t.equal(registry.get('a')?.record.desired, 'paused')
})

t.test('while all connects are paused, what is connected is not taken down by a restart', async (t) => {
  const { fleet, registry } = await started(t, 'running')
  const account = registry.get('a')
  if (account === undefined) throw new Error('no account')
  const state = { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false } as const
  const connection = { status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null } as const
  registry.put({ ...account, child: { generation: 1, failures: 0, state }, connection })
  await fleet.pauseConnects()
  t.throws(() => fleet.restart('a'), { code: 'connects_paused' })
  t.equal(registry.get('a')?.child.state.name, 'running')
  await fleet.resumeConnects()
  fleet.restart('a')
  t.equal(registry.get('a')?.child.state.name, 'stopping')
})
