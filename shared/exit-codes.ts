/**
 * How a process of this service ends, and what its parent does about it. Numbers from sysexits.h where one fits.
 * `restart`: 'never' means that the same start would end the same way until a person has changed something.
 */
export const EXIT = {
  /** Asked to stop; everything is on the disk. */
  ok: { code: 0, restart: 'backoff' },
  /** Supervisor: some worker did not flush in time; the log names it. */
  notFlushed: { code: 1, restart: 'backoff' },
  /** Worker: the session can't be read as what it was written; a person decides. EX_DATAERR */
  sessionDamaged: { code: 65, restart: 'never' },
  /** Supervisor: the port is taken, or another supervisor runs on these sessions. EX_UNAVAILABLE */
  unavailable: { code: 69, restart: 'backoff' },
  /** An error nobody expected. EX_SOFTWARE */
  crashed: { code: 70, restart: 'backoff' },
  /** Worker: the disk refused a write; what was acknowledged before is whole. EX_IOERR */
  storageFailed: { code: 74, restart: 'backoff' },
  /** Worker: another process holds the session directory. EX_TEMPFAIL */
  sessionLocked: { code: 75, restart: 'backoff' },
  /** Worker: wants to go on in a fresh process. EX_PROTOCOL has no better use here. */
  renew: { code: 76, restart: 'at_once' },
  /** Bad configuration: every error was printed. EX_CONFIG; systemd does not restart on it. */
  badConfig: { code: 78, restart: 'never' },
} as const satisfies Record<string, { code: number; restart: 'never' | 'backoff' | 'at_once' }>

export type ExitName = keyof typeof EXIT

/** The name of an exit code; undefined for one that is not ours (a crash inside V8, say). */
export function exitNameOf(code: number): ExitName | undefined {
  return (Object.keys(EXIT) as ExitName[]).find((name) => EXIT[name].code === code)
}
