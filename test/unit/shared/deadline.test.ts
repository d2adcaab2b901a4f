import t from 'tap'
import { LATE, withDeadline } from '../../../shared/deadline.ts'
import { ManualClock, settle } from '../../fixtures/manual-clock.ts'

t.test('work in time gives its result and leaves no timer', async (t) => {
  const clock = new ManualClock()
  t.equal(await withDeadline(Promise.resolve('done'), 1000, clock), 'done')
  t.equal(clock.pending, 0)
})

t.test('work that fails in time rejects and leaves no timer', async (t) => {
  const clock = new ManualClock()
  const error = new Error('broken')
  await t.rejects(withDeadline(Promise.reject(error), 1000, clock), error)
  // Baileys rejects queries that are in flight with a number.
  // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
  await t.rejects(withDeadline(Promise.reject(1006), 1000, clock), { message: '1006' })
  t.equal(clock.pending, 0)
})

t.test('late work is LATE at the deadline and not before; its late end changes nothing', async (t) => {
  const clock = new ManualClock()
  for (const end of ['resolves', 'rejects'] as const) {
    let finish: () => void = () => undefined
    const work = new Promise<string>((resolve, reject) => {
      finish = () => (end === 'resolves' ? resolve('too late') : reject(new Error('too late')))
    })
    let result: unknown
    void withDeadline(work, 1000, clock).then((value) => (result = value))
    clock.advance(999)
    await settle()
    t.equal(result, undefined)
    clock.advance(1)
    await settle()
    t.equal(result, LATE)
    finish()
    await settle()
    t.equal(result, LATE, `it ${end} without a word`)
  }
})
