import t from 'tap'
import { ActivityRecord } from '../../../worker/activity.ts'
import { ManualClock } from '../../fixtures/manual-clock.ts'

t.test('how long an account has been quiet has nothing to do with the hour', async (t) => {
  const clock = new ManualClock()
  const activity = new ActivityRecord(clock)
  clock.advance(1000)
  t.match(activity, { idleForMs: 1000, quietForMs: Infinity })
  activity.saw('lastMessageInAtMs')
  for (const set of [-3_600_000, 7_200_000]) {
    clock.setAhead(set)
    clock.advance(500)
  }
  t.match(activity, { idleForMs: 1000, quietForMs: 1000 })
  activity.saw('lastFrameAtMs')
  t.match(activity, { idleForMs: 1000, quietForMs: 1000 }, 'a frame alone is nothing')
  activity.saw('lastAckedOutAtMs')
  t.match(activity, { idleForMs: 0, quietForMs: 1000 })
})
