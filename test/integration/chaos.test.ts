import t from 'tap'
import { describeReport } from '../chaos/report.ts'
import { runChaos } from '../chaos/run.ts'

/** A minute of faults takes some 90 s with pairing, calm and judgement; calm alone may take three minutes before it fails. */
const TIMEOUT_MS = 420_000
/** Of 1 to 12 tried, one with all three blows at the fleet and most kinds of faults; any other must hold as well. */
const SEED = 1

t.setTimeout(TIMEOUT_MS)

await t.test('ten accounts through a minute of chaos: all back, nothing lost, nothing left', async (t) => {
  const printed: string[] = []
  const report = await runChaos({ seed: SEED, accounts: 10, minutes: 1, say: (line) => void printed.push(line) })
  for (const { ok, demand, detail } of report.verdicts) t.ok(ok, demand, ok ? {} : { detail })
  if (!t.passing()) for (const line of [...printed, ...describeReport(report)]) t.comment(line)
})
