/**
 * Killed or without power at any operation of a put-back: the account has its old session or the new one, or a wish
 * whose finishing gives it the new one; both sessions are whole, somewhere.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { putBack, putBackSession, unfinishedPutBacks } from '../../../../shared/session/put-back.ts'
import { parseSetAsideName } from '../../../../shared/session/set-aside-name.ts'
import { SimulatedDisk, type DiskTree } from '../../worker/session/fixtures/disk.ts'
import { Random } from '../../worker/session/fixtures/random.ts'

const CHOSEN = 'account-2026-01-01T00-00-00Z-removed'
const NOW_MS = Date.UTC(2026, 0, 31, 23, 59, 59)
const WISH = { accountId: 'account', session: CHOSEN, nowMs: NOW_MS }
const ON_DISK = { ...WISH, sessionsPath: '/sessions' }

const session = (content: string): DiskTree => ({
  'session.log': Buffer.from(content),
  'creds.json': Buffer.from(`creds of ${content}`),
  lock: Buffer.alloc(0),
})

/** Where each whole session of the disk lies: content to path. */
function sessionsOn(tree: DiskTree): Map<string, string> {
  const found = new Map<string, string>()
  const look = (path: string, node: DiskTree): void => {
    for (const [name, child] of Object.entries(node)) {
      if (Buffer.isBuffer(child)) continue
      const log = child['session.log']
      if (!Buffer.isBuffer(log)) {
        look(`${path}/${name}`, child)
        continue
      }
      const content = log.toString()
      const creds = child['creds.json']
      const whole = Buffer.isBuffer(creds) && creds.toString() === `creds of ${content}`
      if (whole) found.set(content, `${path}/${name}`)
    }
  }
  look('', tree)
  return found
}

for (const [name, place] of [
  ['a session in place', session('old')],
  ['nothing but a lock in place', { lock: Buffer.alloc(0) }],
  ['nothing in place', undefined],
] as const) {
  t.test(`killed or without power at any operation: ${name}`, async (t) => {
    const tree: DiskTree = {
      sessions: { ...(place === undefined ? {} : { account: place }), '.set-aside': { [CHOSEN]: session('new') } },
    }
    const counting = SimulatedDisk.of(tree)
    await putBack({ ...ON_DISK, fs: counting })
    t.equal(sessionsOn(counting.tree()).get('new'), '/sessions/account')
    const operations = counting.operations
    const cut = new Set<string>()
    for (let at = 0; at <= operations; at++) {
      for (let seed = 0; seed < 20; seed++) {
        const random = new Random(at * 1000 + seed)
        const disk = SimulatedDisk.of(tree)
        disk.crashAt(at, random, seed % 2 === 0 ? 'kill' : 'power_loss')
        const finished = putBack({ ...ON_DISK, fs: disk }).then(() => SimulatedDisk.of(disk.tree()))
        const after = await Promise.race([disk.crashed, finished])
        const where = sessionsOn(after.tree())
        const wishes = await unfinishedPutBacks('/sessions', after)
        const inPlace = [...where].find(([, path]) => path === '/sessions/account')?.[0] ?? 'none'
        cut.add(`${inPlace}, ${wishes.length === 0 ? 'no wish' : 'a wish'}`)
        const expected = place === undefined || !('session.log' in place) ? ['new'] : ['new', 'old']
        t.same([...where.keys()].sort(), expected, `operation ${at}, seed ${seed}: both are whole`)
        if (wishes.length === 0 && inPlace === 'none' && expected.length === 2) t.fail('no session, and no wish')
        // The next start.
        for (const wish of wishes) {
          if (where.get('new') === `/sessions/.set-aside/${CHOSEN}`) await putBack({ ...ON_DISK, ...wish, fs: after })
        }
        const settled = sessionsOn(after.tree())
        t.same([...settled.keys()].sort(), expected)
        if (wishes.length > 0) t.equal(settled.get('new'), '/sessions/account', 'what was begun comes to its end')
        const old = settled.get('old')
        const oldName = old?.split('/').at(-1) ?? ''
        if (settled.get('new') === '/sessions/account' && old !== undefined) {
          t.match(parseSetAsideName(oldName), { accountId: 'account', reason: 'replaced_by_put_back' })
        }
      }
    }
    t.ok(cut.has('new, no wish') && [...cut].some((state) => state.endsWith('a wish')), [...cut].join('; '))
  })
}

const onFiles = (t: Test): string =>
  t.testdir({
    account: { 'session.log': 'old', lock: '' },
    '.set-aside': {
      [CHOSEN]: { 'session.log': 'new', lock: '' },
      'account-2026-01-01T00-00-00Z-purging': { 'session.log': 'doomed' },
      'account-2026-01-02T00-00-00Z-removed': { 'session.log': 'other' },
    },
  })

t.test('with real files and locks: done once, and asked again it is not there', async (t) => {
  const sessionsPath = onFiles(t)
  await putBackSession({ ...WISH, sessionsPath }, 0)
  t.equal(readFileSync(join(sessionsPath, 'account', 'session.log'), 'utf8'), 'new')
  t.same(readdirSync(join(sessionsPath, '.set-aside')).sort(), [
    'account-2026-01-01T00-00-00Z-purging',
    'account-2026-01-02T00-00-00Z-removed',
    'account-2026-01-31T23-59-59Z-replaced_by_put_back',
  ])
  await t.rejects(putBackSession({ ...WISH, sessionsPath }, 0), { code: 'session_not_found' })
  const lock = await lockSession({ dir: join(sessionsPath, 'account'), waitMs: 0 })
  await lock.release()
})

t.test('what is in use, unknown, being destroyed or elsewhere is refused, and nothing moves', async (t) => {
  const sessionsPath = onFiles(t)
  mkdirSync(join(sessionsPath, 'elsewhere-2026-01-01T00-00-00Z-removed'))
  for (const dir of ['account', `.set-aside/${CHOSEN}`]) {
    const lock = await lockSession({ dir: join(sessionsPath, dir), waitMs: 0 })
    await t.rejects(putBackSession({ ...WISH, sessionsPath }, 0), { code: 'session_locked' })
    await lock.release()
  }
  for (const unknown of [
    'account-2026-01-01T00-00-00Z-purging',
    'account-2025-01-01T00-00-00Z-removed',
    '../elsewhere-2026-01-01T00-00-00Z-removed',
    '..',
    '',
  ]) {
    const options = { ...WISH, session: unknown, sessionsPath }
    await t.rejects(putBackSession(options, 0), { code: 'session_not_found' }, unknown)
  }
  t.equal(readFileSync(join(sessionsPath, 'account', 'session.log'), 'utf8'), 'old')
  writeFileSync(join(sessionsPath, '.set-aside', '.put-back-account'), 'account-2026-01-02T00-00-00Z-removed\n')
  await t.rejects(putBackSession({ ...WISH, sessionsPath }, 0), { code: 'destination_refused' })
  t.equal(readFileSync(join(sessionsPath, 'account', 'session.log'), 'utf8'), 'old')
})
