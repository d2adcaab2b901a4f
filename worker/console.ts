/**
 * Replaces console.* by nothing at all: libsignal prints whole sessions, private keys included, through console.info and
 * console.warn. To be called before anything loads it. Our own lines go through pino, which does not use the console.
 */
export function silenceConsole(): void {
  const nothing = (): void => undefined
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'dir', 'table', 'assert', 'group'] as const) {
    console[method] = nothing
  }
}
