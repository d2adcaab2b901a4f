import t from 'tap'
import type { ConnectionReport } from '../../../../shared/states.ts'
import { newAccount, Registry } from '../../../../supervisor/accounts/registry.ts'
import type { AccountRecord } from '../../../../supervisor/accounts/store.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { watchBoot, type BootResult } from '../../../../supervisor/fleet/boot-watch.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const record = (accountId: string): AccountRecord => ({
  accountId,
  name: accountId,
  phone: null,
  desired: 'running',
  purge: false,
  createdAt: '',
})
const report = (status: ConnectionReport['status']): ConnectionReport => ({
  status,
  reason: null,
  code: null,
  attempt: 0,
  nextTryAtMs: null,
})

function boot(ids: readonly string[], lastStartMs = 10_000) {
  const clock = new ManualClock({ startMs: 500 })
  const registry = new Registry(clock)
  const results: BootResult[] = []
  const records = ids.map(record)
  const queued = { ...NEW_CHILD, state: { name: 'queued' } } as const
  const running = {
    ...NEW_CHILD,
    state: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false },
  } as const
  for (const each of records) registry.put(newAccount(each, queued))
  const become = (id: string, status: ConnectionReport['status']): void =>
    registry.put({ ...newAccount(record(id), running), connection: report(status) })
  const watch = watchBoot(registry, records, clock, lastStartMs, (result) => results.push(result))
  return { clock, registry, results, become, watch }
}

t.test('says once that all are connected, and when', async (t) => {
  const { clock, results, become } = boot(['a', 'b'])
  become('a', 'connected')
  clock.advance(3000)
  become('b', 'connecting')
  t.strictSame(results, [])
  become('b', 'connected')
  t.strictSame(results, [{ connected: 2, total: 2, elapsedMs: 3000 }])
  become('b', 'disconnected')
  become('b', 'connected')
  clock.advance(600_000)
  t.equal(results.length, 1)
  t.equal(clock.pending, 0)
})

t.test('an account that waits for a person, has failed or is gone does not hold the boot up', async (t) => {
  const { results, registry, become } = boot(['a', 'b', 'c', 'd'])
  become('a', 'needs_qr')
  become('b', 'disconnected')
  registry.delete('c')
  t.strictSame(results, [])
  become('d', 'connected')
  t.match(results, [{ connected: 1, total: 4 }])
})

t.test('one that failed first and is connected at the end counts as connected', async (t) => {
  const { results, become } = boot(['a', 'b'])
  become('a', 'disconnected')
  become('a', 'connected')
  become('b', 'connected')
  t.match(results, [{ connected: 2, total: 2 }])
})

t.test('is over a minute after the last start, come what may', async (t) => {
  const { clock, results, become } = boot(['a', 'b'], 10_000)
  become('a', 'connected')
  clock.advance(69_999)
  t.strictSame(results, [])
  clock.advance(1)
  t.strictSame(results, [{ connected: 1, total: 2, elapsedMs: 70_000 }])
  become('b', 'connected')
  t.equal(results.length, 1)
})

t.test('a slow boot goes on as long as it gets on', async (t) => {
  const { clock, results, become } = boot(['a', 'b', 'c'], 10_000)
  clock.advance(60_000)
  become('a', 'connected')
  clock.advance(59_000)
  become('b', 'connected')
  become('b', 'disconnected')
  clock.advance(59_999)
  become('a', 'disconnected')
  t.strictSame(results, [], 'what has come to its end before is no progress')
  clock.advance(1)
  t.match(results, [{ connected: 0, total: 3, elapsedMs: 179_000 }])
})

t.test('progress before the last start does not end the boot before it', async (t) => {
  const { clock, results, become } = boot(['a', 'b'], 100_000)
  clock.advance(1000)
  become('a', 'connected')
  clock.advance(158_999)
  t.strictSame(results, [])
  clock.advance(1)
  t.match(results, [{ connected: 1, total: 2 }])
})

t.test('a boot of nobody is over at once', async (t) => {
  const { clock, results } = boot([])
  t.strictSame(results, [{ connected: 0, total: 0, elapsedMs: 0 }])
  t.equal(clock.pending, 0)
})

t.test('accounts of others are of no interest', async (t) => {
  const { results, become } = boot(['a'])
  become('x', 'connected')
  t.strictSame(results, [])
})

t.test('a watch that was ended says nothing any more', async (t) => {
  const { clock, results, become, watch } = boot(['a'])
  watch.end()
  watch.end()
  become('a', 'connected')
  clock.advance(600_000)
  t.strictSame(results, [])
  t.equal(clock.pending, 0)
})
