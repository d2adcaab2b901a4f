import { fork } from 'node:child_process'
import { messageOf } from './errors.ts'
import { BUNDLE_ENVIRONMENT, BUNDLE_FLAGS, MAKE_CODE_CACHE, type CodeCacheMade } from './worker-process.ts'

/** Loading the bundle without a cache takes 0.2 s of CPU; a machine that takes this long has other troubles. */
const DEADLINE_MS = 30_000

/**
 * Makes the code cache of the bundle beside `loader`, unless `path` holds one that V8 takes: in a process of its own,
 * of the Node and with the flags that workers have. Never rejects.
 */
export function makeCodeCache(loader: string, path: string): Promise<CodeCacheMade> {
  return new Promise((resolve) => {
    const fail = (cause: string): void => resolve({ type: 'code_cache_made', result: 'failed', cause, sizeBytes: 0 })
    try {
      const child = fork(loader, [MAKE_CODE_CACHE, path], {
        execArgv: [...BUNDLE_FLAGS],
        env: { ...BUNDLE_ENVIRONMENT },
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        timeout: DEADLINE_MS,
        killSignal: 'SIGKILL',
      })
      child.on('message', (message) => resolve(message as CodeCacheMade))
      child.on('error', (error) => fail(messageOf(error)))
      child.on('exit', (code, signal) => fail(`the process that makes it ended with ${signal ?? code}`))
    } catch (error) {
      fail(messageOf(error))
    }
  })
}
