import { existsSync, readFileSync } from 'node:fs'
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
