import type { AccountView, Client } from './client.ts'
import { CliError, type ExitName } from './cli-error.ts'

/** What the commands work with. */
export interface CliContext {
  client: Client
  /** To standard output. */
  print: (text: string) => void
  /** To standard error: for the person, not for the next program. */
  tell: (text: string) => void
  /** Epoch ms. */
  nowMs: () => number
  json: boolean
  /** Whether a person looks at standard output. */
  isTerminal: boolean
  /** Asks the person at the terminal; false where there is none. */
  confirm: (question: string) => Promise<boolean>
}

export interface CliOptions {
  watch: boolean
  follow: boolean
  yes: boolean
  all: boolean
  lines: number
}

export type CliCommand = (operands: readonly string[], options: CliOptions, context: CliContext) => Promise<ExitName>

/** The account that a person means: by its id, the begin of it, or its name. @throws CliError refused */
export async function findAccount(text: string, { client }: CliContext): Promise<AccountView> {
  const { accounts } = await client.dashboard()
  const lower = text.toLowerCase()
  const ways = [
    accounts.filter(({ accountId }) => accountId === text),
    accounts.filter(({ name }) => name.toLowerCase() === lower),
    accounts.filter(({ accountId }) => accountId.startsWith(text) || accountId.endsWith(text)),
  ]
  const found = ways.find((each) => each.length > 0) ?? []
  const [first] = found
  if (first !== undefined && found.length === 1) return first
  throw found.length > 1
    ? new CliError(
        'refused',
        `"${text}" may be ${found.map(({ accountId, name }) => `${accountId} (${name})`).join(', ')}: give the id.`,
        'ambiguous',
      )
    : new CliError(
        'refused',
        `There is no account "${text}": \`whatsapp-backend status\` lists them.`,
        'account_not_found',
      )
}
