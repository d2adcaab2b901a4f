import t from 'tap'
import { Directory } from '../../simulator/directory.ts'
import { lidJid, pnJid } from '../../simulator/phone.ts'

await t.test('finds a phone by number, by jid and by LID', async (t) => {
  const directory = new Directory()
  const phone = directory.get('40712345678')
  t.equal(directory.get('40712345678'), phone)
  t.strictSame(directory.findByJid(pnJid(phone)), { phone, deviceId: 0 })
  t.strictSame(directory.findByJid(pnJid(phone, 7)), { phone, deviceId: 7 })
  t.strictSame(directory.findByJid(lidJid(phone, 7)), { phone, deviceId: 7 })
  t.equal(new Directory([phone]).find('40712345678'), phone)
})

await t.test('a jid of nobody finds nobody', async (t) => {
  const directory = new Directory()
  for (const jid of [undefined, '', 's.whatsapp.net', '123@g.us', '1@lid', 'status@broadcast', 'abc@s.whatsapp.net']) {
    t.equal(directory.findByJid(jid), undefined, String(jid))
  }
  t.strictSame(directory.all(), [])
})

await t.test('refuses what is no number', async (t) => {
  for (const number of ['', '+40712345678', '0712345678', '1234', '1234567890123456', '407 1234']) {
    t.throws(() => new Directory().get(number), { code: 'bad_request' }, number)
  }
})

await t.test('picks numbers of no country', async (t) => {
  const directory = new Directory()
  const numbers = Array.from({ length: 100 }, () => directory.get(directory.pickNumber()).number)
  t.equal(new Set(numbers).size, numbers.length)
  t.ok(numbers.every((number) => number.startsWith('999')))
})
