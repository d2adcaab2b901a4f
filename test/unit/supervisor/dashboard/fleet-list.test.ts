import t from 'tap'
import { FIRST_WISH, keepOrder, listAccounts, type ListWish } from '../../../../supervisor/dashboard/core/fleet-list.ts'
import { dashboardAccount } from '../../../fixtures/dashboard-account.ts'

const activity = (lastMessageInAt: string | null) => ({ ...dashboardAccount().activity, lastMessageInAt })
const FLEET = [
  dashboardAccount({ accountId: 'c', name: 'Shop 10', activity: activity('2026-01-01T10:00:00.000Z') }),
  dashboardAccount({
    accountId: 'b',
    name: 'shop 9',
    status: 'needs_qr',
    reason: 'qr_expired',
    detail: 'Nobody scanned.',
  }),
  dashboardAccount({
    accountId: 'd',
    name: 'Desk',
    phone: '+491****55',
    status: 'disconnected',
    reason: 'connection_lost',
    activity: activity('2026-01-01T11:00:00.000Z'),
  }),
  dashboardAccount({ accountId: 'e', name: 'Bakery', status: 'disconnected', reason: 'paused', restarts24h: 3 }),
]
const list = (wish: Partial<ListWish>): string => listAccounts(FLEET, { ...FIRST_WISH, ...wish }).join('')

t.test('names sort as people read numbers', async (t) => {
  t.equal(list({}), 'edbc')
  t.equal(list({ descending: true }), 'cbde')
})

t.test('whoever is worst off comes first', async (t) => {
  t.equal(list({ sort: 'status' }), 'dbec')
})

t.test('what never happened is longest ago, and equals keep the order of their names', async (t) => {
  t.equal(list({ sort: 'in', descending: true }), 'dceb')
  t.equal(list({ sort: 'restarts', descending: true }), 'edbc')
  t.equal(list({ sort: 'memory' }), 'edbc')
})

t.test('all words of a search must be somewhere', async (t) => {
  t.equal(list({ search: 'shop' }), 'bc')
  t.equal(list({ search: 'SHOP scanned' }), 'b')
  t.equal(list({ search: '55' }), 'd')
  t.equal(list({ search: 'needs qr' }), 'b')
  t.equal(list({ search: 'nothing like it' }), '')
})

t.test('a paused account is not among the disconnected', async (t) => {
  t.equal(list({ status: 'disconnected' }), 'd')
  t.equal(list({ status: 'paused' }), 'e')
})

t.test('an order that did not change is the same array', async (t) => {
  const before = ['a', 'b']
  t.equal(keepOrder(before, ['a', 'b']), before)
  t.strictSame(keepOrder(before, ['b', 'a']), ['b', 'a'])
  t.strictSame(keepOrder(before, ['a']), ['a'])
})
