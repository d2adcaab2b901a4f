import t from 'tap'
import type { Account } from '../../../../supervisor/dashboard/api-types.ts'
import { linkState, type LinkState, type LivingQr } from '../../../../supervisor/dashboard/core/link-state.ts'
import { dashboardAccount } from '../../../fixtures/dashboard-account.ts'

const NOW_MS = Date.parse('2026-01-01T12:00:00.000Z')
const QR: LivingQr = { qrCode: 'data:image/png;base64,', expiresAt: '2026-01-01T12:00:20.000Z' }
const DEAD: LivingQr = { ...QR, expiresAt: '2026-01-01T12:00:00.000Z' }

const ROWS: [status: Account['status'], reason: Account['reason'], qr: LivingQr | null, state: LinkState['name']][] = [
  ['connecting', 'starting', null, 'preparing'],
  ['needs_qr', 'not_linked', null, 'idle'],
  ['needs_qr', 'pairing', null, 'preparing'],
  ['needs_qr', 'pairing', QR, 'scan'],
  ['needs_qr', 'pairing', DEAD, 'preparing'],
  ['connecting', 'restart_required', null, 'linking'],
  ['connected', null, null, 'connected'],
  ['connected', null, QR, 'connected'],
  ['needs_qr', 'qr_expired', null, 'idle'],
  ['needs_qr', 'wrong_phone', null, 'idle'],
  ['disconnected', 'restore_failed', null, 'idle'],
  ['disconnected', 'paused', null, 'blocked'],
  ['disconnected', 'banned', QR, 'blocked'],
]

t.test('what the person with the phone sees', async (t) => {
  for (const [status, reason, qr, name] of ROWS) {
    const state = linkState(dashboardAccount({ status, reason, detail: 'Words.' }), qr, NOW_MS)
    t.equal(state.name, name, `${status} ${reason ?? ''}`)
    if (state.name === 'idle' || state.name === 'blocked') t.equal(state.detail, 'Words.')
  }
})
