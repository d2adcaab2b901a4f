import { readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'
import type { FromWorker } from '../../shared/ipc.ts'
import { BUNDLE_FILES, MAKE_CODE_CACHE, type CodeCacheMade } from '../../shared/worker-process.ts'
import { cacheKey, readCache, writeCache } from './code-cache.ts'

/**
 * Runs the bundled worker, under a code cache where there is one: `loader.cjs ACCOUNT_ID [CACHE]`. A cache that can't be
 * used is told to the supervisor and is no reason not to start.
 *
 * `loader.cjs --make-code-cache CACHE` loads the bundle, as a worker does and no further, and writes the cache unless
 * there is one that V8 takes. Right after the import, that is: later V8 has forgotten what a start needs.
 *
 * Bundled itself, as CommonJS: it does without Node's loader of ES modules.
 */
const path = join(__dirname, BUNDLE_FILES.worker)
const [, , word = '', cachePath] = process.argv
const bytes = readFileSync(path)
const key = cacheKey(bytes)
const found = cachePath === undefined ? undefined : readCache(cachePath, key, statSync(path).uid)
// The bundle is ASCII: as latin1 V8 takes the text where it lies, outside of its heap.
const script = new Script(bytes.toString('latin1'), {
  filename: path,
  ...(found?.data === undefined ? {} : { cachedData: found.data }),
})
const isUsed = found?.data !== undefined && script.cachedDataRejected === false

const module: { exports: { loaded?: Promise<unknown> } } = { exports: {} }
const run = script.runInThisContext() as (
  exports: object,
  require: NodeJS.Require,
  module: object,
  filename: string,
  directory: string,
) => void
run(module.exports, createRequire(path), module, path, dirname(path))

if (word === MAKE_CODE_CACHE && cachePath !== undefined) void makeCache(cachePath)
else if (found !== undefined && !isUsed) {
  const cause = found.data === undefined ? found.cause : 'V8 rejects it'
  process.send?.({ type: 'code_cache_unused', cause } satisfies FromWorker)
}

async function makeCache(to: string): Promise<void> {
  await module.exports.loaded
  const answer: CodeCacheMade = { type: 'code_cache_made', result: 'valid', cause: null, sizeBytes: 0 }
  if (!isUsed) {
    try {
      const data = script.createCachedData()
      writeCache(to, key, data)
      Object.assign(answer, { result: 'made', sizeBytes: data.length })
    } catch (error) {
      Object.assign(answer, { result: 'failed', cause: error instanceof Error ? error.message : String(error) })
    }
  }
  process.send?.(answer, undefined, undefined, () => process.exit(0))
}
