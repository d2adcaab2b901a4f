/**
 * Power lost at any operation, then opened again, three lives in a row: every acknowledged batch is there, no batch is
 * torn, the session is never refused and never another. POWER_LOSS_ROUNDS sets how many.
 */
import { initAuthCreds } from '@whiskeysockets/baileys'
import t from 'tap'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { parseCreds, serializeCreds } from '../../../../worker/session/creds.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { SimulatedDisk, type DiskTree } from './fixtures/disk.ts'
import { batchOf, readCount, verify } from './fixtures/model.ts'
import { Random } from './fixtures/random.ts'

const ROUNDS = Number(process.env.POWER_LOSS_ROUNDS ?? 300)
const SEED = Number(process.env.POWER_LOSS_SEED ?? 1)
const LIVES = 3
const DIR = '/sessions/account'

interface Life {
  submitted: number
  acknowledged: number
  opened: boolean
}

function stockTree(): DiskTree {
  const creds = initAuthCreds()
  const value = Buffer.from('"0"')
  return {
    'creds.json': serializeCreds(creds),
    'lid-mapping-counter.json': value,
    'session-491.0.json': Buffer.from('{"version":"v1"}'),
    'pre-key-7.json': Buffer.alloc(0),
  }
}

async function live(disk: SimulatedDisk, life: Life, from: number, random: Random): Promise<void> {
  const compaction = { factor: 1, slackBytes: random.between(1000, 20_000) }
  const clock = new ManualClock()
  const session = await openSession({ dir: DIR, fs: disk, compaction, clock })
  life.opened = true
  if ((await readCount(session)) < from) throw new Error(`batch ${from} was read once and is gone`)
  const waiting: Promise<void>[] = []
  for (let number = from + 1; ; number++) {
    life.submitted = number
    const done = Promise.resolve(session.authState.keys.set({ 'lid-mapping': batchOf(number) })).then(() => {
      life.acknowledged = Math.max(life.acknowledged, number)
    })
    waiting.push(done)
    if (number % 5 === 0) {
      session.authState.creds.nextPreKeyId = number
      waiting.push(session.saveCreds())
    }
    // What was acknowledged is noted in the middle of it all.
    if (random.chance(0.3)) clock.advance(5000)
    if (random.chance(0.6)) await Promise.all(waiting.splice(0))
  }
}

async function round(seed: number): Promise<string | undefined> {
  const random = new Random(seed)
  const taken = random.chance(0.3)
  let disk = SimulatedDisk.of({ sessions: { account: taken ? stockTree() : {} } })
  let identity: string | undefined
  const life: Life = { submitted: 0, acknowledged: 0, opened: false }
  let from = 0
  for (let number = 0; number < LIVES; number++) {
    // Early lives die during opening and take-over, later ones during writing and compaction.
    const how = random.pick<'power_loss' | 'kill'>(['power_loss', 'power_loss', 'kill'])
    disk.crashAt(disk.operations + random.between(0, random.pick([12, 60, 400])), random, how)
    const outcome = await Promise.race([
      disk.crashed,
      live(disk, life, from, random).then(
        () => 'ended',
        (error: unknown) => `life ${number}: ${String(error)}`,
      ),
    ])
    if (typeof outcome === 'string') return outcome
    disk = outcome
    const account = disk.tree().sessions
    const file = account !== undefined && !Buffer.isBuffer(account) ? account.account : undefined
    const credsFile = file !== undefined && !Buffer.isBuffer(file) ? file['creds.json'] : undefined
    if (Buffer.isBuffer(credsFile)) parseCreds(credsFile, 'creds.json')
    const session = await openSession({ dir: DIR, fs: disk, clock: new ManualClock() })
    if (taken && session.origin === 'new') return `life ${number}: the session to take over became a new one`
    const { count, problem } = await verify(session, life.acknowledged, life.submitted)
    if (problem !== undefined) return `life ${number}: ${problem}`
    if (taken) {
      const { '491.0': stored } = await session.authState.keys.get('session', ['491.0'])
      if (stored === null) return `life ${number}: an imported key is lost`
    }
    const found = Buffer.from(session.authState.creds.noiseKey.public).toString('base64')
    if (identity !== undefined && identity !== found) return `life ${number}: another identity`
    if (life.opened || taken) identity = found
    // What was read must be durable, even when the power goes again before the next write.
    if (random.chance(0.5)) disk = disk.crash(random)
    else await session.close()
    from = count
    life.submitted = count
    life.acknowledged = count
  }
  return undefined
}

// Against a hang alone: on a slow machine a round takes ten times as long as on a fast one.
t.setTimeout(600_000 + ROUNDS * 1000)

t.test(`${ROUNDS} rounds of ${LIVES} lives (seed ${SEED})`, async (t) => {
  for (let number = 0; number < ROUNDS; number++) {
    const seed = SEED * 1_000_003 + number
    const problem = await round(seed).catch((error: unknown) => String(error))
    if (problem !== undefined) t.fail(`seed ${seed}: ${problem}`)
  }
  t.pass('every acknowledged batch survived')
})

t.test(
  'a failed sync, the process dies, another opens, the power goes: what the other read is still there',
  async (t) => {
    const random = new Random(SEED)
    for (let number = 0; number < 50; number++) {
      const disk = SimulatedDisk.of({ sessions: { account: {} } })
      const first = await openSession({ dir: DIR, fs: disk })
      await first.authState.keys.set({ 'lid-mapping': { acknowledged: '1' } })
      disk.failSyncs(true)
      await t.rejects(Promise.resolve(first.authState.keys.set({ 'lid-mapping': { refused: '1' } })), {
        code: 'storage_failed',
      })
      await first.failed
      disk.failSyncs(false)
      const second = await openSession({ dir: DIR, fs: disk })
      const read = await second.authState.keys.get('lid-mapping', ['acknowledged', 'refused'])
      const third = await openSession({ dir: DIR, fs: disk.crash(random) })
      t.same(await third.authState.keys.get('lid-mapping', ['acknowledged', 'refused']), read)
      t.equal(read.acknowledged, '1')
    }
  },
)
