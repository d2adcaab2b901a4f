import t from 'tap'
import { MemoryWatch } from '../../../../supervisor/fleet/memory-watch.ts'
import { SHORT_FOR_MS } from '../../../../supervisor/core/memory-shortage.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const KILLED = { signal: 'SIGKILL' } as const

t.test(
  'a shortage begins with its first kill, goes on with each, and is over fifteen minutes after the last',
  async (t) => {
    const clock = new ManualClock()
    const { log, lines } = captureLog()
    let kills = 7
    const memory = new MemoryWatch(clock, log, () => kills)
    t.equal(memory.trouble, null)
    t.equal(memory.judge('a', KILLED), false, 'by hand')
    t.equal(memory.trouble, null)

    kills++
    const sinceMs = clock.nowMs()
    t.equal(memory.judge('a', { signal: 'SIGSEGV' }), false)
    t.equal(memory.judge('a', KILLED), true)
    t.strictSame(memory.trouble, { sinceMs, accounts: 1 })
    clock.advance(SHORT_FOR_MS - 1)
    kills++
    t.equal(memory.judge('b', KILLED), true)
    t.strictSame(memory.trouble, { sinceMs, accounts: 2 })
    clock.advance(1)
    t.strictSame(memory.trouble, { sinceMs, accounts: 1 })
    t.equal(lines().filter(({ event }) => event === 'memory.short').length, 1, 'said once')

    clock.advance(SHORT_FOR_MS)
    t.equal(memory.trouble, null)
    kills++
    t.equal(memory.judge('a', KILLED), true)
    t.strictSame(memory.trouble, { sinceMs: clock.nowMs(), accounts: 1 })
  },
)

t.test('a fork that finds no memory is one, whatever is counted; what is paused is forgotten', async (t) => {
  const memory = new MemoryWatch(new ManualClock(), captureLog().log, () => null)
  t.equal(memory.judge('a', { signal: null, error: Object.assign(new Error('spawn'), { code: 'EAGAIN' }) }), false)
  t.equal(memory.judge('a', { signal: null, error: Object.assign(new Error('spawn'), { code: 'ENOMEM' }) }), true)
  t.match(memory.trouble, { accounts: 1 })
  memory.forget('a')
  t.equal(memory.trouble, null)
})
