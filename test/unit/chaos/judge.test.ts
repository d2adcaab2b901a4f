import t from 'tap'
import type { AccountEvidence, Evidence, MemorySample } from '../../chaos/evidence.ts'
import { judge } from '../../chaos/judge.ts'

const PHONE = '40700000001'
const GONE = '40700000002'

const account = (more: Partial<AccountEvidence> = {}): AccountEvidence => ({
  phone: PHONE,
  accountId: 'a1',
  unlinked: false,
  status: 'connected',
  reason: null,
  identityBefore: 'x',
  identityAfter: 'x',
  setAside: [],
  damage: null,
  ...more,
})
const gone = (more: Partial<AccountEvidence> = {}): AccountEvidence =>
  account({
    phone: GONE,
    accountId: 'a2',
    unlinked: true,
    status: 'needs_qr',
    reason: 'logged_out',
    identityAfter: null,
    setAside: ['a2-20260101T000000Z-logged_out'],
    ...more,
  })
const line = (sequence: number, messageId: string, accountId = 'a1', stream = 's') => ({
  accountId,
  stream,
  sequence,
  messageId,
})
/** Ages from 10 s on, a sample a second. */
const supervisor = (...ussMiB: number[]): MemorySample[] =>
  ussMiB.map((mib, index) => ({ role: 'supervisor', pid: 1, ageMs: 10_000 + index * 1000, ussKiB: mib * 1024 }))

const SOUND: Evidence = {
  accounts: [account(), gone()],
  calmAfterMs: 1000,
  calmLimitMs: 2000,
  sent: [
    { id: 'm1', phone: PHONE },
    { id: 'm2', phone: PHONE },
  ],
  receipted: new Set(['m1', 'm2']),
  // A line may be printed again with the same place: at least once, with a number.
  received: [line(1, 'm1'), line(2, 'm2'), line(2, 'm2')],
  exitCode: 0,
  processesLeft: [],
  memory: supervisor(60, 60, 60, 61, 61, 61, 62, 62, 62),
  log: { lines: 10, crashes: [], bugs: [], stackTraces: [] },
  troubles: [],
}

await t.test('a sound run passes every demand', async (t) => {
  t.same(
    judge(SOUND).filter(({ ok }) => !ok),
    [],
  )
})

const CASES: [name: string, change: Partial<Evidence>, demand: RegExp, detail: RegExp][] = [
  [
    'an account that is down',
    { accounts: [account({ status: 'disconnected' })] },
    /connected again/,
    /account 1 is disc/,
  ],
  ['a session set aside', { accounts: [account({ setAside: ['a1-x-bad_session'] })] }, /paired again/, /bad_session/],
  ['another identity', { accounts: [account({ identityAfter: 'y' })] }, /paired again/, /another identity/],
  [
    'no creds before',
    { accounts: [account({ identityBefore: null, identityAfter: null })] },
    /paired again/,
    /identity/,
  ],
  [
    'an unlinked account that is up',
    { accounts: [account(), gone({ status: 'connected' })] },
    /unlinked waits/,
    /is connected/,
  ],
  ['an unlinked session left in place', { accounts: [account(), gone({ setAside: [] })] }, /unlinked waits/, /nothing/],
  ['a message without a receipt', { receipted: new Set(['m1']) }, /has a receipt/, /1 of 2; m2 to account 1/],
  ['a message that was confirmed and not delivered', { received: [line(1, 'm1')] }, /exactly once/, /m2 .* never/],
  [
    'a message that was delivered twice',
    { received: [line(1, 'm1'), line(2, 'm2'), line(3, 'm2')] },
    /exactly once/,
    /m2 .* 2 times/,
  ],
  [
    'a message in two streams',
    { received: [line(1, 'm1'), line(2, 'm2'), line(2, 'm2', 'a1', 'other')] },
    /exactly once/,
    /2 times/,
  ],
  [
    'a message of another account',
    { received: [line(1, 'm1'), line(2, 'm2', 'a2')] },
    /exactly once/,
    /m2 .* another account/,
  ],
  ['a number used twice', { received: [line(1, 'm1'), line(1, 'm2')] }, /exactly once/, /several messages: a1 s 1/],
  ['no lines at all', { received: [] }, /exactly once/, /no line message.received/],
  ['a damaged file', { accounts: [account({ damage: 'bad checksum' })] }, /no file/, /account 1: bad checksum/],
  ['a stop that did not flush', { exitCode: 1 }, /no file/, /ended with 1/],
  ['a process that is left', { processesLeft: ['worker 7 of a1'] }, /no process/, /worker 7/],
  ['memory that grows', { memory: supervisor(60, 60, 60, 80, 80, 80, 90, 90, 90) }, /memory/, /60 MiB to 90 MiB/],
  ['memory that nobody saw', { memory: [] }, /memory/, /too few/],
  ['a crash', { log: { lines: 1, crashes: ['{}'], bugs: [], stackTraces: [] } }, /the log/, /crash/],
  ['a trouble of the run', { troubles: ['a start failed'] }, /every order/, /a start failed/],
]
for (const [name, change, demand, detail] of CASES) {
  await t.test(`fails: ${name}`, async (t) => {
    const failed = judge({ ...SOUND, ...change }).filter(({ ok }) => !ok)
    t.equal(failed.length, 1)
    t.match(failed[0], { demand, detail })
  })
}

await t.test('what an unlinked account was sent needs no receipt', async (t) => {
  const sent = [...SOUND.sent, { id: 'm3', phone: GONE }]
  t.ok(judge({ ...SOUND, sent }).every(({ ok }) => ok))
})
