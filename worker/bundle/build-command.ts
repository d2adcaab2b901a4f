import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf } from '../../shared/errors.ts'
import { makeCodeCache } from '../../shared/make-code-cache.ts'
import { BUNDLE_FILES } from '../../shared/worker-process.ts'
import { buildBundle } from './build.ts'

/** `npm run build`, after the compiler: the bundled worker, and its code cache for the Node that runs this. */
const dir = fileURLToPath(new URL('../../bundle', import.meta.url))
await mkdir(dir, { recursive: true })
try {
  // What it says is for whoever builds; the log of the service says what runs.
  const warnings = await buildBundle(dir)
  for (const warning of warnings) process.stderr.write(`Bundle: ${warning}\n`)
} catch (error) {
  process.stderr.write(`The worker could not be bundled: ${messageOf(error)}\n`)
  process.exit(1)
}
const cache = await makeCodeCache(join(dir, BUNDLE_FILES.loader), join(dir, BUNDLE_FILES.codeCache))
// Without it workers start a little slower, and the service tries again when it starts.
if (cache.result === 'failed') process.stderr.write(`Its code cache could not be made: ${cache.cause}\n`)
