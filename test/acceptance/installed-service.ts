import type { DashboardBody, AccountView, AddedAccount } from '../fixtures/supervisor-process.ts'
import { until } from '../fixtures/until.ts'
import type { Container } from './container.ts'

/** A login and its first messages on a machine with other work on it. */
const WAIT_MS = 90_000

/** The service as install.sh has installed it: over HTTP, systemctl and journalctl. */
export class InstalledService {
  readonly #container: Container
  readonly #url = 'http://127.0.0.1:8080'
  token = ''

  constructor(container: Container) {
    this.#container = container
  }

  async healthCode(): Promise<number | undefined> {
    return fetch(`${this.#url}/health`).then(
      ({ status }) => status,
      () => undefined,
    )
  }

  async api(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(this.#url + path, {
      method,
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`)
    return response.json()
  }

  async dashboard(): Promise<DashboardBody> {
    return (await this.api('GET', '/api/status/dashboard')) as DashboardBody
  }

  async add(phone: string): Promise<AddedAccount> {
    const body = await this.api('POST', '/api/whatsapp/add-account', { name: `Account ${phone}`, phone: `+${phone}` })
    return (body as { account: AddedAccount }).account
  }

  async account(accountId: string, wanted: (account: AccountView) => boolean): Promise<AccountView> {
    let last: AccountView | undefined
    return until(
      `account ${accountId}`,
      async () => {
        last = (await this.dashboard()).accounts.find((account) => account.accountId === accountId)
        return last !== undefined && wanted(last) && last
      },
      () => JSON.stringify(last),
    )
  }

  /** Waits until so many accounts are connected, over a time in which the API does not answer as well. */
  async connected(count: number): Promise<AccountView[]> {
    let last: DashboardBody | undefined
    return until(
      `${count} connected accounts`,
      async () => {
        last = await this.dashboard().catch(() => undefined)
        return last?.summary.connected === count && last.accounts
      },
      () => JSON.stringify(last?.accounts.map(({ accountId, status, reason }) => [accountId, status, reason])),
    )
  }

  /** A property of the unit, as `systemctl show` has it. */
  async show(property: string): Promise<string> {
    return (await this.#container.must('systemctl', 'show', '--value', '-p', property, 'whatsapp-backend')).trim()
  }

  /** Waits for a property to be as wanted. */
  async becomes(property: string, wanted: (value: string) => boolean, deadlineMs = WAIT_MS): Promise<string> {
    let last = ''
    return until(
      `${property} of the unit`,
      async () => wanted((last = await this.show(property))) && last,
      () => last,
      deadlineMs,
    )
  }

  /** What journalctl prints. */
  async journal(...args: string[]): Promise<string> {
    await this.#container.must('journalctl', '--sync')
    return this.#container.must('journalctl', '-q', '--no-pager', ...args)
  }

  /** Accounts of the entries that match, each once. */
  async accountsIn(...args: string[]): Promise<Set<string>> {
    const text = await this.journal('-o', 'cat', '--output-fields=ACCOUNT_ID', ...args)
    return new Set(text.split('\n').filter(Boolean))
  }

  /**
   * A place in the journal, for what comes after it. By time: journalctl 252 leaves out the first entry that matches when
   * the one of --after-cursor does not.
   */
  async mark(): Promise<string> {
    await this.#container.must('journalctl', '--sync')
    return `--since=@${(Date.now() / 1000).toFixed(3)}`
  }

  /** Pids of worker processes by account; more than one of an account is what must never be. */
  async workers(): Promise<Map<string, number[]>> {
    const { output } = await this.#container.run('pgrep', '-af', 'node .*(worker/main[.]js|loader[.]cjs) account_prod_')
    const found = new Map<string, number[]>()
    for (const line of output.split('\n')) {
      const match = /^(\d+) .*(account_prod_\S+)/.exec(line)
      if (match?.[1] === undefined || match[2] === undefined) continue
      found.set(match[2], [...(found.get(match[2]) ?? []), Number(match[1])])
    }
    return found
  }
}
