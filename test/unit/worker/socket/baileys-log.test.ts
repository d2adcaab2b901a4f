import t from 'tap'
import { createBaileysLog } from '../../../../worker/socket/baileys-log.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

function started() {
  const clock = new ManualClock()
  const captured = captureLog()
  return { clock, ...captured, baileys: createBaileysLog(captured.log, clock) }
}

t.test('of what Baileys says, only warnings and errors pass', async (t) => {
  const { baileys, lines } = started()
  baileys.trace({ key: 'x' }, 'trace')
  baileys.debug({ key: 'x' }, 'debug')
  baileys.info('info')
  baileys.warn({ key: 'x' }, 'warning')
  baileys.error({ key: 'x' }, 'error')
  t.match(lines(), [
    { level: 'warn', event: 'baileys.warned', baileysLevel: 'warn', text: 'warning', msg: 'Baileys' },
    { level: 'warn', event: 'baileys.warned', baileysLevel: 'error', text: 'error', msg: 'Baileys' },
  ])
})

t.test('nothing of its objects passes but the name and message of an error', async (t) => {
  const { baileys, text, lines } = started()
  const secret = 'SeCrEt'
  const error = Object.assign(new TypeError('no session for 40712345678'), { data: secret })
  const fields = {
    creds: secret,
    jid: `40712345678@s.whatsapp.net`,
    msg: { conversation: secret },
    node: { attrs: { from: '40712345678' } },
    err: error,
  }
  baileys.child({ jid: '40712345678', secret }).error(fields, 'failed to decrypt 40712345678:3')
  baileys.warn({ error: secret }, 'an error that is none')
  baileys.warn({ e: error, trace: secret }, 'another name')
  t.notMatch(text(), secret)
  t.notMatch(text(), '40712345678')
  t.match(lines(), [
    { text: 'failed to decrypt 407****78:3', cause: 'TypeError: no session for 407****78' },
    { text: 'an error that is none' },
    { text: 'another name', cause: 'TypeError: no session for 407****78' },
  ])
})

t.test('a text in the place of the fields is a text; no text at all is said', async (t) => {
  const { baileys, lines } = started()
  baileys.warn('bad 40712345678')
  baileys.warn({ a: 1 })
  baileys.error(undefined)
  t.strictSame(
    lines().map((line) => line['text']),
    ['bad 407****78', 'no message'],
  )
})

t.test('long texts are cut', async (t) => {
  const { baileys, lines } = started()
  baileys.warn({ err: new Error('y'.repeat(5000)) }, 'x'.repeat(5000))
  t.equal(String(lines()[0]?.['text']).length, 200)
  t.equal(String(lines()[0]?.['cause']).length, 200)
})

t.test('a message that repeats itself is printed once a minute, and counted meanwhile', async (t) => {
  const { baileys, clock, lines } = started()
  for (let i = 0; i < 100; i++) {
    baileys.error({}, 'failed to decrypt message')
    baileys.error({}, `from ${40_000_000_000 + i}`)
    clock.advance(1000)
  }
  const printed = lines().filter((line) => line['text'] === 'failed to decrypt message')
  t.strictSame(
    printed.map((line) => line['suppressed']),
    [0, 59],
  )
})

t.test('endless kinds of messages are one kind in the end', async (t) => {
  const { baileys, lines } = started()
  for (let i = 0; i < 5000; i++) baileys.warn({}, `kind ${i}`)
  t.equal(lines().length, 100, 'and the log prints no more lines of one event within a minute')
})
