import fc from 'fast-check'
import t from 'tap'
import { encodeLine, SERVICE_IDENTIFIER } from '../../../shared/journal-entry.ts'
import { parseLine } from '../../../shared/log-line.ts'

/** The journal's own reading of an entry. */
function decode(entry: Buffer): [string, string][] {
  const fields: [string, string][] = []
  let at = 0
  while (at < entry.length) {
    const end = entry.indexOf('\n', at)
    const line = entry.toString('utf8', at, end)
    const equals = line.indexOf('=')
    if (equals >= 0) {
      fields.push([line.slice(0, equals), line.slice(equals + 1)])
      at = end + 1
    } else {
      const size = Number(entry.readBigUInt64LE(end + 1))
      const from = end + 9
      fields.push([line, entry.toString('utf8', from, from + size)])
      at = from + size + 1
    }
  }
  return fields
}

const encode = (fields: Record<string, unknown>, identifier: string): [string, string][] =>
  decode(encodeLine(parseLine(JSON.stringify({ level: 'warn', msg: 'Said', ...fields })), identifier))

t.test('a line of a worker', async (t) => {
  const line = { event: 'a.b', accountId: 'account_a', nextTryAtMs: 5, reason: null, list: [1], stack: 'x\ny' }
  t.strictSame(encode(line, 'account_a'), [
    ['MESSAGE', 'a.b: Said nextTryAt=1970-01-01T00:00:00.005Z list=[1]\nx\ny'],
    ['PRIORITY', '4'],
    ['SYSLOG_IDENTIFIER', 'account_a'],
    ['ACCOUNT_ID', 'account_a'],
    ['EVENT', 'a.b'],
    ['NEXT_TRY_AT_MS', '5'],
    ['LIST', '[1]'],
  ])
})

t.test('a line of the supervisor about an account is in both logs, and names the account', async (t) => {
  const fields = encode({ event: 'a.b', accountId: 'account_a' }, SERVICE_IDENTIFIER)
  const identifiers = fields.filter(([name]) => name === 'SYSLOG_IDENTIFIER').map(([, value]) => value)
  t.strictSame(identifiers, [SERVICE_IDENTIFIER, 'account_a'])
  t.strictSame(fields[0], ['MESSAGE', 'a.b: Said accountId=account_a'])
  t.strictSame(fields.filter(([name]) => name === 'ACCOUNT_ID').length, 1)
})

t.test('no field of a line takes the place of a field of the journal', async (t) => {
  const names = encode({ message: 'm', priority: 0, syslogIdentifier: 's', errno: 'ENOSPC', _pid: 1, 'a b': 1 }, 'x')
  t.strictSame(
    names.map(([name]) => name),
    [
      'MESSAGE',
      'PRIORITY',
      'SYSLOG_IDENTIFIER',
      'FIELD_MESSAGE',
      'FIELD_PRIORITY',
      'FIELD_SYSLOG_IDENTIFIER',
      'FIELD_ERRNO',
    ],
  )
})

t.test('an entry is never larger than a datagram may be, whatever is logged', async (t) => {
  const large = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`field${i}`, 'ü'.repeat(50_000)]))
  const entry = encodeLine(parseLine(JSON.stringify({ level: 'info', msg: 'x'.repeat(100_000), ...large })), 'x')
  t.ok(entry.length < 140_000, String(entry.length))
})

t.test('whatever a value is, it brings no field of its own', async () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      const fields = encode({ event: 'a.b', cause: `${value}\nPRIORITY=0` }, 'x')
      const names = fields.map(([name]) => name)
      if (names.join() !== 'MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,EVENT,CAUSE') throw new Error(names.join())
    }),
  )
})
