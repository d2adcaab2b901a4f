/** What ends the command: a sentence for the person, and the exit code. */
export const EXIT_CODES = {
  /** Done, or all is well. */
  ok: 0,
  /** The service says no, or an account is not as it should be. */
  refused: 1,
  /** EX_USAGE */
  usage: 64,
  /** EX_UNAVAILABLE: the service does not answer. */
  unavailable: 69,
  /** EX_CONFIG: no token, or a wrong one; a setting that can't be used. */
  badConfig: 78,
} as const
export type ExitName = keyof typeof EXIT_CODES

export class CliError extends Error {
  readonly exit: ExitName
  /** The error's code as the API said it. */
  readonly code: string

  constructor(exit: ExitName, message: string, code: string = exit) {
    super(message)
    this.name = 'CliError'
    this.exit = exit
    this.code = code
  }
}

/** Whether the same may well be answered at the next try: the service is away or stopping, or is asked too much now. */
export function passes({ exit, code }: CliError): boolean {
  return exit === 'unavailable' || code === 'shutting_down' || code === 'too_many_requests'
}

/** For a question between two events of a stream: undefined where the service was lost, which the stream finds as well. */
export async function unlessLost<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (error instanceof CliError && passes(error)) return undefined
    throw error
  })
}
