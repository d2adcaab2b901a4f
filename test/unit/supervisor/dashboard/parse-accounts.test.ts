import t from 'tap'
import { MOST_LINES, parseAccounts } from '../../../../supervisor/dashboard/core/parse-accounts.ts'

const ROWS: [title: string, text: string, accounts: [line: number, name: string, phone: string][]][] = [
  ['commas', 'Shop, +40 712 345 678', [[1, 'Shop', '+40712345678']]],
  ['semicolons, as a spreadsheet of Europe writes', 'Shop;+40712345678', [[1, 'Shop', '+40712345678']]],
  ['tabs, as a spreadsheet copies', 'Shop\t0040712345678', [[1, 'Shop', '+40712345678']]],
  ['the phone first', '+40712345678,Shop', [[1, 'Shop', '+40712345678']]],
  ['no separator', 'Shop Cluj +40 712 345 678', [[1, 'Shop Cluj', '+40712345678']]],
  ['no separator and no plus', 'Shop 2 40712345678', [[1, 'Shop 2', '+40712345678']]],
  ['a name with a comma in quotes', '"Popescu, Ion",+40712345678', [[1, 'Popescu, Ion', '+40712345678']]],
  ['doubled quotes', '"The ""Shop""",+40712345678', [[1, 'The "Shop"', '+40712345678']]],
  ['an empty column between', 'Shop,,+40712345678', [[1, 'Shop', '+40712345678']]],
  ['a heading', 'Name,Phone\nShop,+40712345678', [[2, 'Shop', '+40712345678']]],
  [
    'empty lines and every line end',
    '\r\nA,+40712345678\r\rB,+40712345679\n',
    [
      [2, 'A', '+40712345678'],
      [4, 'B', '+40712345679'],
    ],
  ],
  ['a byte-order mark', '\ufeffA,+40712345678', [[1, 'A', '+40712345678']]],
]

t.test('accounts come out of what people paste', async (t) => {
  for (const [title, text, accounts] of ROWS) {
    const parsed = parseAccounts(text)
    t.strictSame(
      parsed,
      { accounts: accounts.map(([line, name, phone]) => ({ line, name, phone })), errors: [] },
      title,
    )
  }
})

const WRONG: [text: string, message: RegExp][] = [
  ['Shop', /A name and a phone/],
  ['+40712345678', /name is missing/],
  ['Shop,0712345678', /"0712345678" has no country code/],
  ['Shop,4.07E+10', /spreadsheet shortens/],
  ['Shop,call me', /"call me" is no phone number/],
  [`${'x'.repeat(101)},+40712345678`, /101 characters/],
]

t.test('a line that can not be read says what is wrong, and the others are read all the same', async (t) => {
  for (const [text, message] of WRONG) {
    const { accounts, errors } = parseAccounts(`First,+40700000001\n${text}\nLast,+40700000002`)
    t.equal(accounts.length, 2, text)
    t.equal(errors.length, 1, text)
    t.match(errors[0], { line: 2, text, message })
  }
})

t.test('one phone is one account, in whatever form it is written', async (t) => {
  const { accounts, errors } = parseAccounts('A,+5211234567890\nB,+52 1234567890')
  t.equal(accounts.length, 1)
  t.match(errors, [{ line: 2, message: /line 1 again/ }])
})

t.test('more than the service takes at once is said, not cut off', async (t) => {
  const lines = Array.from({ length: MOST_LINES + 2 }, (_, index) => `A ${index},+4070000${1000 + index}`)
  const { accounts, errors } = parseAccounts(lines.join('\n'))
  t.equal(accounts.length, MOST_LINES)
  t.match(errors, [{ line: MOST_LINES + 1, message: /200/ }, { line: MOST_LINES + 2 }])
})

t.test('nothing is nothing', async (t) => {
  t.strictSame(parseAccounts(' \n\n'), { accounts: [], errors: [] })
})
