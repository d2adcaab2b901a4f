import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { keyOf, Logins, LOGINS_FILE } from '../../../../supervisor/access/logins.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

const DAY_MS = 24 * 3600_000
const clock = new ManualClock()
const { log, lines } = captureLog()
const open = async (sessionsPath: string, secrets: (string | undefined)[] = ['admin', undefined]): Promise<Logins> => {
  const logins = new Logins({ sessionsPath, secrets, clock, log })
  await logins.load()
  return logins
}

t.test('a login outlives the service, and is worth nothing to whoever reads the file', async (t) => {
  const sessionsPath = t.testdir({})
  const first = await open(sessionsPath)
  const { value, maxAgeS } = await first.create('admin', null)
  t.equal(maxAgeS, 86_400)
  const wall = await first.create('viewer', 'abc')
  t.equal(wall.maxAgeS, 30 * 86_400)
  const path = join(sessionsPath, LOGINS_FILE)
  t.notMatch(readFileSync(path, 'utf8'), value)
  t.equal(statSync(path).mode & 0o777, 0o600)

  const second = await open(sessionsPath)
  t.match(second.get(keyOf(value)), { role: 'admin', tokenId: null })
  t.match(second.get(keyOf(wall.value)), { role: 'viewer', tokenId: 'abc' })
  t.equal(second.get(keyOf(`${value}x`)), undefined)
  await second.end(keyOf(value))

  const third = await open(sessionsPath)
  t.equal(third.get(keyOf(value)), undefined, 'a logout outlives it as well')
  clock.advance(30 * DAY_MS)
  t.equal(third.get(keyOf(wall.value)), undefined)
})

t.test('another ADMIN_TOKEN or VIEWER_TOKEN ends every login', async (t) => {
  const sessionsPath = t.testdir({})
  const before = await open(sessionsPath)
  const { value } = await before.create('admin', null)
  t.equal((await open(sessionsPath, ['another', undefined])).get(keyOf(value)), undefined)
  t.equal((await open(sessionsPath, ['admin', 'viewer'])).get(keyOf(value)), undefined)
  t.ok((await open(sessionsPath)).get(keyOf(value)))
})

t.test(
  'a file that can not be used costs a login, and a disk that takes nothing does not cost even that',
  async (t) => {
    const sessionsPath = t.testdir({})
    writeFileSync(join(sessionsPath, LOGINS_FILE), '{"logins":[{}]}')
    const logins = await open(sessionsPath)
    t.match(lines().at(-1), { event: 'access.logins_damaged' })
    const { value } = await logins.create('admin', null)
    t.ok((await open(sessionsPath)).get(keyOf(value)))

    const nowhere = await open(join(sessionsPath, 'not', 'there'))
    const unsaved = await nowhere.create('admin', null)
    t.match(lines().at(-1), { event: 'access.logins_not_saved' })
    t.ok(nowhere.get(keyOf(unsaved.value)))
  },
)

t.test('a disk that hangs keeps nobody out', async (t) => {
  const sessionsPath = t.testdir({})
  const logins = await open(sessionsPath)
  // Opening a pipe that nobody reads does not return.
  const pipe = join(sessionsPath, `${LOGINS_FILE}.tmp`)
  execFileSync('mkfifo', [pipe])
  const created = logins.create('admin', null)
  await clock.advanceAsync(5000)
  const { value } = await created
  t.ok(logins.get(keyOf(value)))
  t.match(lines().at(-1), { event: 'access.logins_not_saved', cause: 'the disk does not answer' })
  const ended = logins.end(keyOf(value))
  await clock.advanceAsync(5000)
  await ended
  t.notOk(logins.get(keyOf(value)))
  // The disk is back. Held open: whoever opens the pipe to write may not have come as far as that yet.
  const reader = openSync(pipe, 'r+')
  t.teardown(() => closeSync(reader))
  const next = await logins.create('admin', null)
  t.ok((await open(sessionsPath)).get(keyOf(next.value)))
})

t.test('many at once are one file, and the oldest of too many goes first', async (t) => {
  const sessionsPath = t.testdir({})
  const logins = await open(sessionsPath)
  const made = await Promise.all(Array.from({ length: 101 }, () => logins.create('admin', null)))
  const after = await open(sessionsPath)
  t.strictSame(
    made.map(({ value }) => after.get(keyOf(value)) !== undefined),
    made.map((_, index) => index > 0),
  )
})

t.test('a viewer takes no place of an admin, nor does a login that is over', async (t) => {
  const sessionsPath = t.testdir({})
  const logins = await open(sessionsPath)
  const expired = await logins.create('admin', null)
  clock.advance(DAY_MS)
  const admin = await logins.create('admin', null)
  for (let count = 0; count < 99; count++) await logins.create('admin', null)
  for (let count = 0; count < 150; count++) await logins.create('viewer', null)
  t.ok(logins.get(keyOf(admin.value)), 'the oldest of a hundred admins that are logged in')
  t.notMatch(readFileSync(join(sessionsPath, LOGINS_FILE), 'utf8'), keyOf(expired.value), 'what is over is not kept')
})
