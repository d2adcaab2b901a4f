import t from 'tap'
import { parseStockFileName, stockFileName } from '../../../../worker/session/session-key.ts'

const ROUND_TRIPS: [string, string, string][] = [
  ['pre-key', '812', 'pre-key-812.json'],
  ['session', '4915112345678.0', 'session-4915112345678.0.json'],
  ['session', '77712345_1.12', 'session-77712345_1.12.json'],
  ['sender-key', '12036302@g.us::77712345_1::5', 'sender-key-12036302@g.us--77712345_1--5.json'],
  ['sender-key', '4915-1600000@g.us::4915112345678::0', 'sender-key-4915-1600000@g.us--4915112345678--0.json'],
  ['sender-key', 'status@broadcast::4915112345678::0', 'sender-key-status@broadcast--4915112345678--0.json'],
  ['sender-key-memory', '12036302@g.us', 'sender-key-memory-12036302@g.us.json'],
  ['app-state-sync-key', 'AAAAA/+x==', 'app-state-sync-key-AAAAA__+x==.json'],
  ['app-state-sync-key', 'A//B', 'app-state-sync-key-A____B.json'],
  ['app-state-sync-version', 'critical_unblock_low', 'app-state-sync-version-critical_unblock_low.json'],
  ['lid-mapping', '77712345_reverse', 'lid-mapping-77712345_reverse.json'],
  ['device-list', '4915112345678', 'device-list-4915112345678.json'],
  ['tctoken', '__index', 'tctoken-__index.json'],
  ['tctoken', '77712345@lid', 'tctoken-77712345@lid.json'],
  ['identity-key', '77712345_1.12', 'identity-key-77712345_1.12.json'],
]

for (const [type, id, name] of ROUND_TRIPS) {
  t.test(`${name} is ${type} of ${id}`, async (t) => {
    t.equal(stockFileName(type, id), name)
    t.same(parseStockFileName(name), { type, id })
  })
}

t.test('other files are no keys', async (t) => {
  for (const name of ['creds.json', 'package.json', 'pre-key-1.json.bak', 'pre-key-.json', 'session.log', 'lock']) {
    t.equal(parseStockFileName(name), undefined, name)
  }
})
