/** Run by api.ts through SupervisorProcess: the service as it is, but for its workers, which are worker.ts. */
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../../shared/clock.ts'
import { createLog } from '../../../shared/log.ts'
import { App } from '../../../supervisor/app.ts'
import { parseConfig } from '../../../supervisor/config.ts'

const { config, errors } = parseConfig(process.env, process.cwd())
if (config === undefined) throw new Error(errors.join('\n'))
const app = new App({
  config,
  environment: process.env,
  clock: systemClock,
  log: createLog(config.logLevel),
  random: Math.random,
  tuning: { workerEntry: fileURLToPath(new URL('./worker.js', import.meta.url)), startSlots: 8 },
})
await app.start()
process.on('SIGTERM', () => void app.stop().then(() => process.exit(0)))
