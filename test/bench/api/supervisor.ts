/** Run by api.ts through SupervisorProcess: the service as it is, but for its workers, which are worker.ts. */
import { fileURLToPath } from 'node:url'
import { runTunedService } from '../../fixtures/tuned-service.ts'

await runTunedService({ workerEntry: fileURLToPath(new URL('./worker.js', import.meta.url)), startSlots: 8 })
