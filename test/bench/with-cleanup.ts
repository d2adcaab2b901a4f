/**
 * Runs `work`, then `end`, once, whatever happens in between: a signal, or an error that nobody caught (traffic is awaited at
 * its end alone: a call of it that fails before comes as an exception, and the others of that moment with it). Whoever
 * gives up leaves no process behind.
 * @param end ends and removes what `work` needs, as far as it is there; never rejects
 */
export async function withCleanup<T>(end: () => Promise<void>, work: () => Promise<T>): Promise<T> {
  let ending: Promise<void> | undefined
  const endOnce = (): Promise<void> => (ending ??= end())
  const abort = (): void => void endOnce().finally(() => process.exit(1))
  const crash = (error: Error): void => {
    if (ending === undefined) process.stderr.write(`${error.stack ?? error.message}\n`)
    abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, abort)
  process.on('uncaughtException', crash)
  try {
    return await work()
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, abort)
    process.off('uncaughtException', crash)
    await endOnce()
  }
}
