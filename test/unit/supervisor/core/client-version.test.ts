import fc from 'fast-check'
import t from 'tap'
import type { ClientVersion } from '../../../../shared/ipc.ts'
import {
  isSame,
  onLookedUp,
  onVerdict,
  startOrder,
  stuckOn,
  type Versions,
} from '../../../../supervisor/core/client-version.ts'

const v = (revision: number): ClientVersion => [2, 3000, revision]
const NOTHING: Versions = { configured: null, knownGood: null, bundled: null, latest: null, refused: [] }

t.test('a worker starts with what the operator wants, else with the newer of good and bundled', async (t) => {
  t.same(startOrder(NOTHING), { version: null, knownGood: null })
  t.same(startOrder({ ...NOTHING, knownGood: v(5) }), { version: null, knownGood: v(5) })
  t.same(startOrder({ ...NOTHING, configured: v(3), knownGood: v(5) }), { version: v(3), knownGood: v(5) })
})

t.test('what WhatsApp takes is kept once', async (t) => {
  const first = onVerdict(NOTHING, v(5), true)
  t.same(first.keep, v(5))
  t.equal(onVerdict(first.versions, v(5), true).keep, undefined)
})

t.test('a refused version is followed by the newest that is known', async (t) => {
  const known = { ...NOTHING, bundled: v(4), knownGood: v(6), latest: v(7) }
  const first = onVerdict(known, v(4), false)
  t.same(first.order, v(7))
  const second = onVerdict(first.versions, v(7), false)
  t.same(second.order, v(6))
  t.same(startOrder(second.versions).version, v(6), 'for those that start later as well')
  const third = onVerdict(second.versions, v(6), false)
  t.equal(third.order, undefined)
  t.equal(third.lookUp, true)
  t.same(stuckOn(third.versions), v(6))
})

t.test('WA_VERSION that is refused gives way, and is first again once it is taken', async (t) => {
  const refused = onVerdict({ ...NOTHING, configured: v(3), bundled: v(4) }, v(3), false)
  t.same(refused.order, v(4))
  t.same(startOrder(onVerdict(refused.versions, v(3), true).versions).version, v(3))
})

t.test('a look-up that brings a newer one ends it; one that brings the same does not', async (t) => {
  const stuck = onVerdict({ ...NOTHING, bundled: v(4) }, v(4), false).versions
  t.equal(onLookedUp(stuck, v(4)).order, undefined)
  t.same(stuckOn(onLookedUp(stuck, v(4)).versions), v(4))
  t.same(onLookedUp(stuck, v(9)).order, v(9))
  t.equal(stuckOn(onLookedUp(stuck, v(9)).versions), null)
  t.equal(onLookedUp({ ...NOTHING, bundled: v(4) }, v(9)).order, undefined, 'nothing changes while nothing is refused')
})

t.test('whatever comes: no refused version is ordered, and where one is left it is', async () => {
  const version = fc.integer({ min: 1, max: 5 }).map(v)
  const event = fc.oneof(fc.record({ version, accepted: fc.boolean() }), fc.record({ latest: version }))
  fc.assert(
    fc.property(
      fc.option(version),
      fc.option(version),
      version,
      fc.array(event),
      (configured, good, bundled, events) => {
        let versions: Versions = { ...NOTHING, configured, knownGood: good, bundled }
        for (const one of events) {
          const step =
            'latest' in one ? onLookedUp(versions, one.latest) : onVerdict(versions, one.version, one.accepted)
          versions = step.versions
          const isRefused = (x: ClientVersion): boolean => versions.refused.some((refused) => isSame(refused, x))
          if (step.order !== undefined && isRefused(step.order)) throw new Error('ordered what was refused')
          const { version } = startOrder(versions)
          if (version !== null && isRefused(version)) throw new Error('starts with what was refused')
          if (versions.refused.length > 0 && version === null && stuckOn(versions) === null) throw new Error('no order')
        }
      },
    ),
  )
})
