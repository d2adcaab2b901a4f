import t from 'tap'
import { action } from '../../../../supervisor/cli/actions.ts'
import { Client } from '../../../../supervisor/cli/client.ts'
import { CliError } from '../../../../supervisor/cli/cli-error.ts'
import { findAccount, type CliContext } from '../../../../supervisor/cli/context.ts'
import { recordOf, startHttpService, TOKEN } from '../../../fixtures/http-service.ts'

/** Commands on the real API over a port; nobody but the person at the terminal is played. */
const ONE = 'account_prod_0123456789ab'
const service = await startHttpService({ sessionsPath: t.testdir(), records: [{ ...recordOf(ONE), name: 'Desk' }] })
t.teardown(service.stop)
const url = await service.app.listen({ port: 0, host: '127.0.0.1' })

const questions: string[] = []
const context: CliContext = {
  client: new Client({ url, token: TOKEN }),
  print: () => undefined,
  tell: () => undefined,
  nowMs: () => 0,
  json: false,
  isTerminal: false,
  confirm: async (question) => {
    questions.push(question)
    return false
  },
}
const options = { watch: false, follow: false, yes: false, all: false, lines: 1 }
const meant = (text: string): Promise<string> =>
  findAccount(text, context).then(
    ({ accountId }) => accountId,
    (error: unknown) => (error instanceof CliError ? error.code : 'a bug'),
  )

t.test('the only account is meant by its id, four characters of it, or its name, and by nothing less', async (t) => {
  for (const text of [ONE, 'desk', '89ab', 'account_prod_0123']) t.equal(await meant(text), ONE, text)
  const vague = [
    '',
    'a',
    'b',
    '9ab',
    'acco',
    'account_',
    'account_pro',
    'account_prod',
    'account_prod_',
    'account_prod_012',
  ]
  for (const text of vague) t.equal(await meant(text), 'ambiguous', text)
  t.equal(await meant('kitchen'), 'account_not_found')
})

t.test('what only the phone can undo is asked for, by name and id, and not done without a yes', async (t) => {
  for (const name of ['logout', 'remove'] as const) {
    await t.rejects(action(name)(['desk'], options, context), { code: 'not_confirmed' }, name)
  }
  await t.rejects(action('logout')([], { ...options, all: true }, context), { code: 'not_confirmed' })
  t.equal(questions.length, 3)
  for (const question of questions) t.match(question, `Desk (${ONE})`)
  await t.rejects(action('logout')([], options, context), { code: 'usage' })
  await t.rejects(action('logout')(['desk'], { ...options, all: true }, context), { code: 'usage' }, 'one, or all?')
})
