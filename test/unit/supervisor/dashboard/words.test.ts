import t from 'tap'
import { REASON_NAMES, TODOS, type Reason } from '../../../../shared/states.ts'
import { retryDelayMs } from '../../../../supervisor/dashboard/core/feed-policy.ts'
import { parseFeedEvent } from '../../../../supervisor/dashboard/core/feed-events.ts'
import { compareNeeds, needOf, REMEDY_WORDS } from '../../../../supervisor/dashboard/core/needs-you.ts'
import {
  age,
  bytes,
  countdown,
  duration,
  percent,
  plural,
  shownStatus,
} from '../../../../supervisor/dashboard/core/words.ts'
import { dashboardAccount } from '../../../fixtures/dashboard-account.ts'

const NOW_MS = Date.parse('2026-01-01T12:00:00.000Z')
const at = (ms: number): string => new Date(NOW_MS + ms).toISOString()

t.test('spans in the largest unit that fits twice', async (t) => {
  const rows: [ms: number, words: string][] = [
    [-5, '0 s'],
    [999, '0 s'],
    [119_999, '119 s'],
    [120_000, '2 min'],
    [7_199_999, '119 min'],
    [7_200_000, '2 h'],
    [172_799_999, '47 h'],
    [172_800_000, '2 d'],
  ]
  for (const [ms, words] of rows) t.equal(duration(ms), words)
})

t.test('a countdown ends at zero and never says less than is left', async (t) => {
  t.equal(countdown(at(11_200), NOW_MS), '12 s')
  t.equal(countdown(at(-900), NOW_MS), '0 s')
  t.equal(countdown(null, NOW_MS), '')
})

t.test('an age is a dash where there is none, and zero where two clocks differ', async (t) => {
  t.equal(age(at(-5000), NOW_MS), '5 s')
  t.equal(age(at(2000), NOW_MS), '0 s')
  t.equal(age(null, NOW_MS), '–')
})

t.test('sizes and shares', async (t) => {
  t.strictSame([0, 2048, 36 * 1024 ** 2, 1.5 * 1024 ** 3, null].map(bytes), ['0 B', '2 KiB', '36 MiB', '1.5 GiB', '–'])
  t.strictSame([0, 0.26, 9.94, 9.96, 41.7, null].map(percent), ['0.0 %', '0.3 %', '9.9 %', '10 %', '42 %', '–'])
  t.strictSame([plural(1, 'account'), plural(0, 'account')], ['1 account', '0 accounts'])
})

t.test('paused is a state of its own, and needs nobody', async (t) => {
  const paused = dashboardAccount({ status: 'disconnected', reason: 'paused', needsPerson: true })
  t.equal(shownStatus(paused), 'paused')
  t.equal(needOf(paused), null)
})

t.test('whatever waits for a person says what to do, and has its button', async (t) => {
  const needy = (reason: Reason) => {
    const { action, message } = TODOS[reason] ?? { action: 'restart', message: '' }
    const todo = message === '' ? null : { action, message }
    return needOf(dashboardAccount({ status: 'disconnected', reason, needsPerson: true, detail: 'Words.', todo }))
  }
  t.equal(needOf(dashboardAccount({ status: 'disconnected', reason: 'connection_lost' })), null)
  for (const reason of REASON_NAMES.filter((name) => name !== 'paused')) {
    const need = needy(reason)
    t.ok(need !== null && need.todo.length > 5 && REMEDY_WORDS[need.remedy] !== '', reason)
  }
  const scan = needy('qr_expired')
  const recover = needy('session_damaged')
  t.equal(scan?.remedy, 'scan')
  t.equal(recover?.remedy, 'recover')
  if (scan !== null && recover !== null) t.ok(compareNeeds(recover, scan) < 0, 'a decision before a phone')
})

t.test('the feed is asked for again soon, then less often, and not by everybody at once', async (t) => {
  t.equal(retryDelayMs(1, 0), 250)
  t.equal(retryDelayMs(1, 1), 500)
  t.equal(retryDelayMs(3, 1), 2000)
  t.equal(retryDelayMs(1000, 1), 10_000)
})

t.test('an event of a newer service is passed over', async (t) => {
  t.equal(parseFeedEvent('account.mood', '{}'), undefined)
  t.equal(parseFeedEvent(undefined, '{}'), undefined)
  t.strictSame(parseFeedEvent('boot.progress', 'null'), { name: 'boot.progress', data: null })
})
