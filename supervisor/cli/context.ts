import type { AccountView, Client } from './client.ts'
import { CliError, type ExitName } from './cli-error.ts'
import { plain } from './words.ts'

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

/** Fewer characters of an id are a slip more often than an account that is meant. */
const SHORTEST_PART = 4
/** What every id of ours begins with says nothing of whose it is. */
const COMMON_BEGIN = /^account_[A-Za-z0-9]*_?/

/**
 * The account that a person means: by its id, the begin or end of it, or its name. Where there is one account alone, a
 * part that fits all ids still means none: what follows may be a logout.
 * @throws CliError refused
 */
export async function findAccount(text: string, { client }: CliContext): Promise<AccountView> {
  const { accounts } = await client.dashboard()
  const lower = text.toLowerCase()
  const ways = [
    accounts.filter(({ accountId }) => accountId === text),
    accounts.filter(({ name }) => name.toLowerCase() === lower),
    accounts.filter(({ accountId }) => accountId.startsWith(text) || accountId.endsWith(text)),
  ]
  const way = ways.findIndex((each) => each.length > 0)
  const found = ways[way] ?? []
  const [first] = found
  const isPart = way === ways.length - 1
  if (first !== undefined && found.length === 1 && !(isPart && isTooShort(text))) return first
  throw found.length > 0
    ? new CliError(
        'refused',
        `"${text}" ${isPart && isTooShort(text) ? 'is a short part of' : 'may be'} ` +
          `${found.map(({ accountId, name }) => `${accountId} (${plain(name)})`).join(', ')}: give the id.`,
        'ambiguous',
      )
    : new CliError(
        'refused',
        `There is no account "${text}": \`whatsapp-backend status\` lists them.`,
        'account_not_found',
      )
}

function isTooShort(part: string): boolean {
  return 'account_'.startsWith(part) || part.replace(COMMON_BEGIN, '').length < SHORTEST_PART
}
