import t from 'tap'
import type { Reason } from '../../../../shared/states.ts'
import { describeTrouble, kindOf, TROUBLE_KINDS, type TroubleKind } from '../../../../supervisor/core/fleet-trouble.ts'

const TABLE: [reasons: (Reason | null)[], kind: TroubleKind][] = [
  [['client_outdated', 'client_outdated', 'connection_lost'], 'client_outdated'],
  [['connection_lost', 'connect_timeout', 'connection_closed', 'banned'], 'network'],
  [['server_error', 'connect_refused', 'refused'], 'server'],
  [['server_error', 'connection_lost', 'replaced'], 'mixed'],
  [['server_error', 'connection_lost'], 'mixed'],
  [[null, null, 'connection_lost'], 'mixed'],
  [[], 'mixed'],
]
for (const [reasons, kind] of TABLE)
  t.test(`${reasons.join(', ')}: ${kind}`, async (t) => t.equal(kindOf(reasons), kind))

t.test('each has words of its own, with the number of accounts', async (t) => {
  const texts = TROUBLE_KINDS.map((kind) => describeTrouble(kind, 7, null))
  t.equal(new Set(texts).size, TROUBLE_KINDS.length)
  t.match(describeTrouble('network', 7, null), /^7 accounts/)
  t.match(describeTrouble('server', 1, null), /1 account /)
  t.match(describeTrouble('client_outdated', 7, '2.3000.1'), /2\.3000\.1.*WA_VERSION/)
})
