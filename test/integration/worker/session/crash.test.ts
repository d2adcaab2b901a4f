/**
 * Real processes killed with SIGKILL while they write, compact, open and take over. CRASH_KILLS sets how many; each
 * kill interrupts twenty sessions: loading Baileys into each writer costs more than everything else here.
 */
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseCreds } from '../../../../worker/session/creds.ts'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { verify } from '../../../unit/worker/session/fixtures/model.ts'
import { Random } from '../../../unit/worker/session/fixtures/random.ts'
import { startChild } from './fixtures/child.ts'
import { readAll, writeStock } from './fixtures/stock.ts'

const KILLS = Number(process.env.CRASH_KILLS ?? 20)
const SEED = Number(process.env.CRASH_SEED ?? Date.now() % 100_000)
const PLACES = 20

t.setTimeout(300_000 + KILLS * 10_000)

/** Starts a writer on `dirs`, kills it after `killAfter` lines, and gives the highest acknowledged batch of each. */
async function writeAndKill(mode: string, dirs: readonly string[], killAfter: number): Promise<number[]> {
  const child = startChild('writer', [mode, ...dirs])
  const acknowledged = dirs.map(() => 0)
  let seen = 0
  for await (const line of child.lines) {
    const [kind, place, count] = line.split(' ')
    if (kind === 'A') acknowledged[Number(place)] = Number(count)
    if (++seen === killAfter) child.process.kill('SIGKILL')
  }
  await child.kill()
  return acknowledged
}

t.test(`no acknowledged key is lost in ${KILLS} kills of ${PLACES} sessions (seed ${SEED})`, async (t) => {
  const random = new Random(SEED)
  const root = t.testdir({})
  const dirs = Array.from({ length: PLACES }, (_, place) => join(root, `account${place}`))
  const identities = new Map<string, string>()
  let batches = 0
  for (let number = 0; number < KILLS; number++) {
    const acknowledged = await writeAndKill('plain', dirs, random.between(1, random.pick([3, 150, 1000])))
    for (const [place, dir] of dirs.entries()) {
      const lock = await lockSession({ dir, waitMs: 0 })
      const credsPath = join(dir, 'creds.json')
      if (existsSync(credsPath)) parseCreds(readFileSync(credsPath), credsPath)
      const session = await openSession({ dir })
      const { problem, count } = await verify(session, acknowledged[place] ?? 0, Infinity)
      if (problem !== undefined) t.fail(`kill ${number}, session ${place}: ${problem}`)
      const identity = Buffer.from(session.authState.creds.noiseKey.public).toString('hex')
      if ((identities.get(dir) ?? identity) !== identity) t.fail(`kill ${number}, session ${place}: another identity`)
      identities.set(dir, identity)
      if (place === 0) batches = count
      await session.close()
      await lock.release()
    }
  }
  t.comment(`batches written into the first session: ${batches}`)
  t.ok(existsSync(join(dirs[0] ?? '', 'session.log.prev')), 'there were compactions among them')
})

t.test('a take-over killed at any step starts over or goes on, and loses nothing', async (t) => {
  const random = new Random(SEED)
  const root = t.testdir({ source: {} })
  const source = join(root, 'source')
  const expected = await readAll(await writeStock(source))
  const rounds = Math.ceil(KILLS / 4)
  let beforeLog = 0
  let whileMoving = 0
  for (let number = 0; number < rounds; number++) {
    const dirs = Array.from({ length: PLACES }, (_, place) => join(root, `round${number}-${place}`))
    for (const dir of dirs) cpSync(source, dir, { recursive: true })
    // The openings interleave; each is 4 lines up to the log's name, then about 130 for the moving of the files.
    await writeAndKill('trace', dirs, random.between(1, random.pick([100, 300, 2500])))
    for (const dir of dirs) {
      const lock = await lockSession({ dir, waitMs: 0 })
      const log = existsSync(join(dir, 'session.log'))
      if (!log) beforeLog += 1
      else if (existsSync(join(dir, 'tctoken-__index.json'))) whileMoving += 1
      const session = await openSession({ dir })
      if (session.origin === 'new') t.fail(`round ${number}: a new identity`)
      // The killed writer may have gone on to write: this is the one field of the creds that it sets.
      session.authState.creds.nextPreKeyId = 1
      t.strictSame(await readAll(session.authState), expected)
      await session.close()
      await lock.release()
    }
  }
  t.comment(`of ${rounds * PLACES}: ${beforeLog} killed before the log stood, ${whileMoving} while the sources moved`)
  t.ok(beforeLog + whileMoving > 0, 'some were killed inside')
})
