import t from 'tap'
import type { ClientVersion } from '../../../../shared/ipc.ts'
import { BUNDLED_VERSION, versionToAnnounce } from '../../../../worker/socket/client-version.ts'

const v = (revision: number): ClientVersion => [2, 3000, revision]

t.test('an order counts; without one the newer of the last good and the bundled', async (t) => {
  t.same(versionToAnnounce({ version: v(1), knownGood: v(9) }, v(5)), v(1))
  t.same(versionToAnnounce({ version: null, knownGood: v(9) }, v(5)), v(9))
  t.same(versionToAnnounce({ version: null, knownGood: v(4) }, v(5)), v(5))
  t.same(versionToAnnounce({ version: null, knownGood: null }, v(5)), v(5))
  t.same(versionToAnnounce({ version: null, knownGood: [2, 2999, 9] }, v(5)), v(5))
  t.same(versionToAnnounce({ version: null, knownGood: [3, 1, 1] }, v(5)), [3, 1, 1])
  t.same(versionToAnnounce({ version: null, knownGood: null }), BUNDLED_VERSION)
  t.match(BUNDLED_VERSION.join('.'), /^2\.3000\.\d{9,}$/)
})
