import t from 'tap'
import {
  AWAY_MS,
  Retirements,
  TROUBLE_PATIENCE_MS,
  type RetireRequest,
} from '../../../../supervisor/core/retirements.ts'

const connected: RetireRequest = {
  accountId: 'a',
  isConnected: true,
  isPaused: false,
  isTroubled: false,
  nowMs: 1000,
}

t.test('who is connected goes while nothing is wrong, who is not goes in any case', async (t) => {
  t.equal(new Retirements().allows(connected), true)
  t.equal(new Retirements().allows({ ...connected, isPaused: true }), false)
  t.equal(new Retirements().allows({ ...connected, isTroubled: true }), false)
  t.equal(new Retirements().allows({ ...connected, isConnected: false, isPaused: true, isTroubled: true }), true)
})

t.test('one at a time, until it is connected again or was away for long', async (t) => {
  const retirements = new Retirements()
  const other = { ...connected, accountId: 'b' }
  t.equal(retirements.allows(connected), true)
  t.equal(retirements.allows(other), false)
  t.equal(retirements.allows(connected), true, 'asked again, since the word was not heard')
  retirements.connected('b')
  t.equal(retirements.allows({ ...other, nowMs: 1000 + AWAY_MS - 1 }), false)
  retirements.connected('a')
  t.equal(retirements.allows(other), true)
  t.equal(retirements.allows({ ...connected, nowMs: 1000 + AWAY_MS }), true)
})

t.test('in trouble that does not end one goes after a while, while connects are paused none does', async (t) => {
  const retirements = new Retirements()
  const inTrouble = { ...connected, isTroubled: true }
  retirements.allows(inTrouble)
  const later = { ...inTrouble, nowMs: 1000 + TROUBLE_PATIENCE_MS }
  t.equal(retirements.allows({ ...later, nowMs: later.nowMs - 1 }), false)
  t.equal(retirements.allows({ ...later, isPaused: true }), false)
  t.equal(retirements.allows(later), true)
  retirements.ended('a')
  t.equal(retirements.allows(later), false, 'its next process begins to ask anew')
})
