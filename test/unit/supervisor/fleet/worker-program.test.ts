import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { PLAIN_FLAGS } from '../../../../shared/worker-process.ts'
import { WorkerProgram } from '../../../../supervisor/fleet/worker-program.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

/** With the bundle it is seen in test/integration/worker/bundle.test.ts: there, processes run it. */
const ENV = { PATH: '/usr/bin' }
const PLAIN = fileURLToPath(new URL('../../../../worker/main.js', import.meta.url))

function create(options: { bundle: boolean; entry?: string; sessionsPath: string }) {
  const { log, lines } = captureLog()
  const program = new WorkerProgram({ entry: null, ...options, env: ENV, clock: new ManualClock(), log })
  return { program, lines }
}

await t.test('WORKER_BUNDLE=off: the compiled files, plain, and the log says so', async (t) => {
  const sessionsPath = t.testdir()
  const { program, lines } = create({ bundle: false, sessionsPath })
  await program.prepare()
  const { openOutput, ...command } = program.command
  t.strictSame(command, { entry: PLAIN, args: [], execArgv: PLAIN_FLAGS, env: ENV })
  t.equal(openOutput, undefined, 'it prints where the supervisor prints')
  t.match(lines(), [{ event: 'worker.unbundled', level: 'info', entry: PLAIN }])
})

await t.test('another program is run as it is, whatever WORKER_BUNDLE says', async (t) => {
  const entry = join(t.testdir(), 'other.js')
  const { program } = create({ bundle: true, entry, sessionsPath: t.testdir() })
  await program.prepare()
  t.equal(program.command.entry, entry)
  t.ok(program.entries.includes(PLAIN), 'a worker that hangs on from before is known all the same')
})
