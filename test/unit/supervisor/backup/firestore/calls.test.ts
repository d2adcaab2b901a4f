import t from 'tap'
import { Calls } from '../../../../../supervisor/backup/firestore/calls.ts'
import { mapError } from '../../../../../supervisor/backup/firestore/map-error.ts'
import { BackupError } from '../../../../../supervisor/backup/target.ts'
import { ManualClock, settle } from '../../../../fixtures/manual-clock.ts'

/** A write whose end the test decides. */
function controlled() {
  const begun: string[] = []
  const ends = new Map<string, { resolve: (value: string) => void; reject: (error: Error) => void }>()
  const work = (name: string) => () =>
    new Promise<string>((resolve, reject) => {
      begun.push(name)
      ends.set(name, { resolve, reject })
    })
  return { begun, ends, work }
}
const grpc = (code: number, message = 'said the server') => Object.assign(new Error(message), { code })
const isUnreachable = { name: 'BackupError', code: 'unreachable' }

t.test('writes to one document follow each other, writes to others do not wait', async (t) => {
  const calls = new Calls(new ManualClock())
  const { begun, ends, work } = controlled()
  const first = calls.write('one', 'w', 1000, work('first'))
  const second = calls.write('one', 'w', 1000, work('second'))
  const other = calls.write('two', 'w', 1000, work('other'))
  await settle()
  t.strictSame(begun, ['first', 'other'])
  ends.get('first')?.reject(grpc(14))
  await t.rejects(first, isUnreachable)
  await settle()
  t.strictSame(begun, ['first', 'other', 'second'])
  ends.get('second')?.resolve('well')
  ends.get('other')?.resolve('well')
  t.strictSame(await Promise.all([second, other]), ['well', 'well'])
  await settle()
  t.equal(calls.pending, 0)
})

t.test('a write that was given up still keeps the next one back, until it has settled', async (t) => {
  const clock = new ManualClock()
  const calls = new Calls(clock)
  const { begun, ends, work } = controlled()
  const old = calls.write('one', 'Writing OLD', 1000, work('old'))
  const end = t.rejects(old, { ...isUnreachable, message: /Writing OLD: .* within 1000 ms/ })
  await settle()
  clock.advance(1000)
  await end
  const waiting = calls.write('one', 'w', 5000, work('new'))
  await clock.advanceAsync(1000)
  t.strictSame(begun, ['old'])
  t.equal(calls.pending, 1)
  ends.get('old')?.resolve('landed late')
  await settle()
  t.strictSame(begun, ['old', 'new'])
  ends.get('new')?.resolve('well')
  t.equal(await waiting, 'well')
})

t.test('a write whose caller gave up before its turn never begins', async (t) => {
  const clock = new ManualClock()
  const calls = new Calls(clock)
  const { begun, ends, work } = controlled()
  const outcomes = Promise.allSettled(
    ['hung', 'b', 'c'].map(async (name) => calls.write('one', name, 1000, work(name))),
  )
  await settle()
  clock.advance(1000)
  for (const outcome of await outcomes) t.match(outcome, { status: 'rejected', reason: isUnreachable })
  ends.get('hung')?.resolve('late')
  await settle()
  t.strictSame(begun, ['hung'])
  t.equal(calls.pending, 0)
})

t.test('a transaction that met another is repeated, a few times; nothing else is', async (t) => {
  const clock = new ManualClock()
  const calls = new Calls(clock)
  const failing = (times: number, error: Error) => {
    let made = 0
    return { made: () => made, work: async () => (++made <= times ? Promise.reject(error) : 'through') }
  }
  const twice = failing(2, grpc(10))
  const through = calls.attempt(twice.work)
  await clock.advanceAsync(60_000)
  t.equal(await through, 'through')
  t.equal(twice.made(), 3)

  const always = failing(100, grpc(10))
  const refused = t.rejects(calls.attempt(always.work), { code: 10 })
  await clock.advanceAsync(60_000)
  await refused
  t.equal(always.made(), 5)

  const down = failing(100, grpc(14))
  await t.rejects(calls.attempt(down.work), { code: 14 })
  t.equal(down.made(), 1)
})

t.test('after the end nothing begins any more', async (t) => {
  const calls = new Calls(new ManualClock())
  const { begun, ends, work } = controlled()
  const underWay = calls.write('one', 'w', 1000, work('under way'))
  const waiting = t.rejects(calls.write('one', 'w', 1000, work('waiting')), { ...isUnreachable, message: /stopping/ })
  await settle()
  calls.close()
  ends.get('under way')?.resolve('well')
  t.equal(await underWay, 'well')
  await waiting
  for (const call of [
    calls.read('r', 1000, work('read')),
    calls.write('two', 'w', 1000, work('write')),
    calls.attempt(work('attempt')),
  ]) {
    await t.rejects(call, { ...isUnreachable, message: /stopping/ })
  }
  t.strictSame(begun, ['under way'])
})

t.test('what Firestore says becomes a code and a remedy', async (t) => {
  const cases: [unknown, string, RegExp][] = [
    [grpc(14), 'unreachable', /UNAVAILABLE: said the server.*tries again by itself/],
    [grpc(4), 'unreachable', /DEADLINE_EXCEEDED/],
    [grpc(10), 'unreachable', /ABORTED/],
    [grpc(8), 'over_quota', /RESOURCE_EXHAUSTED.*quota/],
    [grpc(7), 'refused', /PERMISSION_DENIED.*roles\/datastore.user/],
    [grpc(16), 'refused', /UNAUTHENTICATED.*GOOGLE_APPLICATION_CREDENTIALS/],
    [grpc(5), 'not_found', /NOT_FOUND.*FIRESTORE_PROJECT_ID/],
    [grpc(6), 'failed', /ALREADY_EXISTS/],
    [grpc(3), 'failed', /INVALID_ARGUMENT/],
    [new Error('Could not load the default credentials.'), 'refused', /service account/],
    [new Error('error:1E08010C:DECODER routines::unsupported private key'), 'refused', /service account/],
    [new Error('request to the token server failed, reason: getaddrinfo ENOTFOUND'), 'unreachable', /tries again/],
    [new Error('odd'), 'failed', /Doing it: .*odd/],
    ['a text', 'failed', /a text/],
  ]
  for (const [error, code, message] of cases) t.match(mapError(error, 'Doing it'), { code, message })
  const ours = new BackupError('owned_elsewhere', 'as it is')
  t.equal(mapError(ours, 'Doing it'), ours)
  t.equal(mapError(grpc(14), 'x').cause, undefined)
})
