import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { JOURNAL_QUEUE } from '../../../shared/log-destination.ts'
import { Journald } from '../../fixtures/journald.ts'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'
import { until } from '../../fixtures/until.ts'

const WRITER = fileURLToPath(new URL('./fixtures/journal-writer.js', import.meta.url))

interface Memory {
  rssBytes: number
}

t.test('one process floods the journal', { skip: leftOutWithout('root', 'journald') }, async (t) => {
  const journal = await new Journald('flood').start()
  t.teardown(() => journal.remove())
  let startedBytes = 0
  const writer = async (identifier: string): Promise<ChildProcess> => {
    const child = fork(WRITER, [journal.directory, identifier])
    t.teardown(() => child.kill('SIGKILL'))
    const [memory] = (await once(child, 'message')) as [Memory]
    startedBytes = memory.rssBytes
    return child
  }
  const [noisy, quiet] = await Promise.all([writer('account_noisy'), writer('account_quiet')])
  const write = async (child: ChildProcess, lines: number, everyMs: number): Promise<Memory> => {
    const answer = once(child, 'message') as Promise<[Memory]>
    child.send({ lines, everyMs })
    return (await answer)[0]
  }
  const numbers = (identifier: string): number[] =>
    journal.text('-t', identifier, '--output=cat', '--output-fields=NUMBER').split('\n').filter(Boolean).map(Number)
  const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
  const count = (...args: string[]): number => journal.text('--output=cat', ...args).split('\n').length - 1

  await t.test('of 50,000 lines at once none is lost, and of its neighbour none', async (t) => {
    await Promise.all([write(noisy, 50_000, 0), write(quiet, 100, 2)])
    await until('the whole burst', () => count('-t', 'account_noisy') >= 50_000)
    // Each has a queue of its own to journald: that the one is through says nothing of the other.
    await until('the lines of its neighbour', () => count('-t', 'account_quiet') >= 100)
    t.same(numbers('account_noisy'), upTo(50_000), 'all, in order')
    t.same(numbers('account_quiet'), upTo(100))
  })

  await t.test('while journald stands still a process keeps a bounded part, and says what it lost', async (t) => {
    journal.freeze()
    const memory = await write(noisy, 80_000, 0)
    await write(quiet, 50, 2)
    const grownBytes = memory.rssBytes - startedBytes
    // The bytes themselves, the objects around them, and what the collector has not come to yet.
    t.ok(grownBytes < 8 * JOURNAL_QUEUE.mostBytes, `${Math.round(grownBytes / 1024 / 1024)} MiB more`)
    journal.thaw()
    const lost = await until('what was lost', () => journal.entries('EVENT=log.dropped')[0])
    t.match(lost, { SYSLOG_IDENTIFIER: 'account_noisy', PRIORITY: '4' })
    const arrived = numbers('account_noisy').length - 50_000
    t.equal(arrived + Number(lost['COUNT']), 80_000, `${arrived} arrived`)
    await until('the lines of its neighbour', () => numbers('account_quiet').length >= 150)
    t.equal(numbers('account_quiet').length, 150)
  })

  await t.test('what waits at the end of a process is sent first', async (t) => {
    const exit = once(quiet, 'exit')
    quiet.send({ lines: 300, everyMs: 0 })
    quiet.disconnect()
    await exit
    t.equal(numbers('account_quiet').length, 450)
  })
})
