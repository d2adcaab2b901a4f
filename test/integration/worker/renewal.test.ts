import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { EXIT } from '../../../shared/exit-codes.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { tameBaileys } from '../simulator/baileys-client.ts'
import { InProcessWorker } from './fixtures/in-process-worker.ts'

tameBaileys()

const [phone = ''] = testPhones(1)
// Taken away with the process, which is when the session whose close was given up writes nothing more.
const directory = mkdtempSync(join(tmpdir(), 'whatsapp-renewal-'))
process.on('exit', () => rmSync(directory, { recursive: true, force: true }))

for (const flushes of [true, false]) {
  const then = flushes ? 'says that it has flushed' : 'does not say so where its session could not be closed'
  await t.test(`a worker that makes room for a fresh process ${then}`, async (t) => {
    const simulator = await startSimulator()
    t.teardown(() => simulator.close())
    const worker = new InProcessWorker(join(directory, flushes ? 'well' : 'hung'), simulator, phone)
    t.teardown(() => {
      worker.disk.comeBack()
      return worker.account.stop()
    })
    await worker.account.begin()
    await worker.reported('connected null')
    if (!flushes) {
      worker.disk.hang()
      // Something for the close to wait for, until its patience is over.
      await simulator.sendText({ to: phone, from: '40733333333', text: 'not written' })
      worker.clock.setSpeed(60)
    }
    worker.account.handle({ type: 'retire' })
    await until('the end', () => worker.exitCode !== undefined)
    t.equal(worker.exitCode, EXIT.renew.code)
    t.equal(
      worker.said.some(({ type }) => type === 'stopped'),
      flushes,
    )
  })
}
