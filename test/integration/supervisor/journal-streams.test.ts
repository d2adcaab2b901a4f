import { fileURLToPath } from 'node:url'
import t from 'tap'
import { forkWorker, type ProcessEnd } from '../../../supervisor/fleet/child-process.ts'
import { openJournalStreams } from '../../../supervisor/systemd/journal-streams.ts'
import { Journald } from '../../fixtures/journald.ts'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'
import { captureLog } from '../../fixtures/log-lines.ts'

const entry = fileURLToPath(new URL('./fixtures/dying-worker.js', import.meta.url))

t.test(
  'the last words of a process are in the log of its account',
  { skip: leftOutWithout('root', 'journald') },
  async (t) => {
    const journal = await new Journald('streams').start()
    t.teardown(() => journal.remove())
    const { log, lines } = captureLog()
    const openOutput = await openJournalStreams(journal.directory, log)
    const env = { PATH: process.env['PATH'] ?? '' }
    const command = { entry, execArgv: ['--max-old-space-size=20'], env, args: [], openOutput }
    const run = (accountId: string): Promise<{ pid: number | undefined; end: ProcessEnd }> =>
      new Promise((resolve) => {
        const child = forkWorker(
          command,
          accountId,
          () => undefined,
          (end) => resolve({ pid: child.pid, end }),
        )
      })
    const [throws, heap] = await Promise.all([
      run('account_test_throws'),
      run('account_test_heap'),
      run('account_test_calm'),
    ])

    t.equal(throws.end.code, 1)
    const crash = journal.entries('-t', 'account_test_throws')
    t.match(crash[0], { MESSAGE: 'a word with a priority', PRIORITY: '6', _PID: String(throws.pid) })
    const reason = crash.find(({ MESSAGE }) => String(MESSAGE).includes('the reason of the crash'))
    t.match(reason, { PRIORITY: '3', _TRANSPORT: 'stdout' }, 'what has no priority is an error')

    t.equal(heap.end.signal ?? heap.end.code, 'SIGABRT')
    const fatal = journal.text('-t', 'account_test_heap', '-p', 'err', '--output=cat')
    t.match(fatal, /FATAL ERROR: .*heap/i, 'of V8 itself')

    t.equal(journal.text('-t', 'account_test_calm', '--output=cat'), 'another account\n', 'and in no other')

    await journal.remove()
    t.equal(openOutput('account_test_calm'), undefined, 'where the journal is gone, there is no stream')
    t.match(lines().at(-1), { event: 'journal.stream_refused', accountId: 'account_test_calm' })
  },
)
