import fc from 'fast-check'
import t from 'tap'
import { isSamePhone, maskNumbers, maskPhone, parsePhone, phoneOfJid } from '../../../shared/phone.ts'

const FORMS: [text: string, expected: string | undefined][] = [
  ['+40712345678', '+40712345678'],
  ['40712345678', '+40712345678'],
  ['0040712345678', '+40712345678'],
  ['00 40 712 345 678', '+40712345678'],
  ['+40 712 345 678', '+40712345678'],
  ['  +40-712-345-678\n', '+40712345678'],
  ['(+40) 712.345.678', '+40712345678'],
  ['+44 (0)20 7946 0958', '+442079460958'],
  ['0044 (0) 20 7946 0958', '+442079460958'],
  ['+1/212/555-0123', '+12125550123'],
  ['+40\u00a0712\u2011345\u2013678', '+40712345678'],
  ['\u202a+40 712 345 678\u202c', '+40712345678'],
  ['\u200e+40\u2009712 345 678\u200f', '+40712345678'],
  ['+1234567', '+1234567'],
  ['+123456789012345', '+123456789012345'],
  ['+123456', undefined],
  ['+1234567890123456', undefined],
  ['0712345678', undefined],
  ['+0712345678', undefined],
  ['000407123456', undefined],
  ['++40712345678', undefined],
  ['+40712+345678', undefined],
  ['+40 712 345 67x', undefined],
  ['tel:+40712345678', undefined],
  ['+40712345678,5', undefined],
  ['٤٠٧١٢٣٤٥٦٧٨', undefined],
  ['', undefined],
  ['+', undefined],
  ['   ', undefined],
  ['null', undefined],
]

for (const [text, expected] of FORMS) {
  t.test('one WhatsApp under two numbers: Mexico, Argentina, Brazil', async (t) => {
    const same: [string, string][] = [
      ['+525512345678', '+5215512345678'],
      ['+541112345678', '+5491112345678'],
      ['+5561991674812', '+556191674812'],
      ['+40712345678', '+40712345678'],
    ]
    for (const [a, b] of same) {
      t.ok(isSamePhone(a, b), `${a} ${b}`)
      t.ok(isSamePhone(b, a), `${b} ${a}`)
    }
    const other: [string, string][] = [
      ['+40712345678', '+40712345679'],
      ['+525512345678', '+5215512345679'],
      ['+15512345678', '+5215512345678'],
    ]
    for (const [a, b] of other) t.notOk(isSamePhone(a, b), `${a} ${b}`)
  })

  t.test(`${JSON.stringify(text)} is ${expected ?? 'no phone'}`, async (t) => {
    t.equal(parsePhone(text), expected)
  })
}

t.test('whatever comes in, what comes out is E.164, and is itself a form of it', async () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[+0-9 ().-]{0,20}$/)), (text) => {
      const phone = parsePhone(text)
      if (phone === undefined) return
      if (!/^\+[1-9]\d{6,14}$/.test(phone)) throw new Error(phone)
      if (parsePhone(phone) !== phone) throw new Error(`${phone} is not its own form`)
    }),
  )
})

t.test('a masked phone keeps what tells two apart, and no more', async (t) => {
  t.equal(maskPhone('+40712345697'), '+407****97')
  t.equal(maskPhone('+1234567'), '+123****67')
  t.equal(maskPhone('+123456'), '+****')
  t.equal(maskPhone(''), '+****')
})

t.test('the phone of a WhatsApp address', async (t) => {
  t.equal(phoneOfJid('40712345678@s.whatsapp.net'), '+40712345678')
  t.equal(phoneOfJid('40712345678:12@s.whatsapp.net'), '+40712345678')
  for (const jid of ['', '12@s.whatsapp.net', '40712345678@lid', '40712345678@g.us', 'x40712345678@s.whatsapp.net']) {
    t.equal(phoneOfJid(jid), undefined, jid)
  }
})

t.test('long numbers in a text are masked wherever they stand', async (t) => {
  t.equal(maskNumbers('no session for 40712345678.0, code 408'), 'no session for 407****78.0, code 408')
  fc.assert(
    fc.property(fc.string(), fc.stringMatching(/^\d{7,20}$/), fc.string(), (before, digits, after) => {
      if (/\d{7,}/.test(maskNumbers(`${before}${digits}${after}`))) throw new Error('a whole number is left')
    }),
  )
})
