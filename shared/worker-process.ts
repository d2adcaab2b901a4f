/**
 * How a worker's process is started. Both sides need it: the supervisor that starts workers, and the build that makes
 * the code cache, which V8 takes only under the flags that it was made with. Measured: ARCHITECTURE.md, "What a worker costs".
 */

/**
 * A fuse, not a diet: a logged-in account lives in 20 MB of heap, a first pairing with a history of 10,000 messages takes 13 more.
 * Long before it, WORKER_MEMORY_MB has the worker go on in a fresh process.
 */
const HEAP_LIMIT = '--max-old-space-size=256'

/** Keeps the young generation from growing to 48 MiB under load; an idle worker is as large without it. */
const SMALL_YOUNG_GENERATION = '--max-semi-space-size=2'

/**
 * V8 looks for garbage by itself when a process is idle, several times after each start and burst; a worker does that
 * better (worker/idle-collection.ts). Twice is half of what an idle worker costs.
 */
const NO_COLLECTION_OF_ITS_OWN = '--no-memory-reducer'

/** V8 options of a worker that runs the bundle. */
export const BUNDLE_FLAGS: readonly string[] = [SMALL_YOUNG_GENERATION, NO_COLLECTION_OF_ITS_OWN, HEAP_LIMIT]

/** V8 options of a worker that runs the compiled files as they are. */
export const PLAIN_FLAGS: readonly string[] = ['--enable-source-maps', HEAP_LIMIT]

/**
 * glibc gives freed memory back instead of keeping it in arenas: 9 MiB an idle worker, 13 after traffic. A threshold below
 * 32000 would make each 16 KiB buffer a system call of its own. Other C libraries don't know these names.
 */
export const BUNDLE_ENVIRONMENT: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: '32000',
  MALLOC_TRIM_THRESHOLD_: '65536',
  MALLOC_TOP_PAD_: '16384',
}

/** What stands in place of an account's id where the process makes the code cache and ends: no account is called so. */
export const MAKE_CODE_CACHE = '--make-code-cache'

/** What the process that was started with MAKE_CODE_CACHE says at last. */
export interface CodeCacheMade {
  type: 'code_cache_made'
  /** It was there and V8 takes it; it was written; or it could not be, for this reason. */
  result: 'valid' | 'made' | 'failed'
  cause: string | null
  sizeBytes: number
}

/** Names within the bundle's directory. */
export const BUNDLE_FILES = {
  worker: 'worker.cjs',
  loader: 'loader.cjs',
  codeCache: 'worker.code-cache',
} as const
