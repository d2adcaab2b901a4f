import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock, type Clock } from '../../../../shared/clock.ts'
import { lockSession } from '../../../../shared/session/session-lock.ts'
import { openSession } from '../../../../worker/session/session.ts'
import { setAside } from '../../../../shared/session/set-aside.ts'
import { startChild } from './fixtures/child.ts'

t.test('a second process is told who holds the lock; kill -9 of the holder frees it at once', async (t) => {
  const dir = join(t.testdir({}), 'account')
  const holder = startChild('holder', [dir])
  t.teardown(() => holder.kill())
  t.equal((await holder.lines.next()).value, 'L')
  await t.rejects(lockSession({ dir, waitMs: 0 }), { code: 'session_locked', details: { holderPid: holder.pid } })
  // It asks for its first timer when it has found the lock taken.
  let foundTaken: () => void = () => undefined
  const taken = new Promise<void>((resolve) => (foundTaken = resolve))
  const setTimer: Clock['setTimer'] = (delayMs, callback) => {
    foundTaken()
    return systemClock.setTimer(delayMs, callback)
  }
  const waiting = lockSession({ dir, waitMs: 60_000, retryMs: 5, clock: { ...systemClock, setTimer } })
  await taken
  await holder.kill()
  const lock = await waiting
  await t.rejects(lockSession({ dir, waitMs: 0 }), { code: 'session_locked', details: { holderPid: process.pid } })
  await lock.release()
  await lock.release()
  const again = await lockSession({ dir, waitMs: 0 })
  await again.release()
  t.ok(existsSync(join(dir, 'lock')), 'the file stays')
  t.equal(statSync(join(dir, 'lock')).mode & 0o777, 0o600)
})

t.test('gives up at the deadline, and at once when aborted', async (t) => {
  const dir = join(t.testdir({}), 'account')
  const lock = await lockSession({ dir, waitMs: 0 })
  await t.rejects(lockSession({ dir, waitMs: 30, retryMs: 10 }), { code: 'session_locked' })
  const abort = new AbortController()
  const waiting = lockSession({ dir, waitMs: 60_000, signal: abort.signal })
  abort.abort(new Error('stopping'))
  await t.rejects(waiting, { message: 'stopping' })
  await lock.release()
})

t.test('a directory set aside under its lock is no longer the one that is waited for', async (t) => {
  const sessionsPath = t.testdir({})
  const dir = join(sessionsPath, 'account')
  const lock = await lockSession({ dir, waitMs: 0 })
  await (await openSession({ dir })).close()
  const waiting = lockSession({ dir, waitMs: 60_000, retryMs: 5 })
  const target = await setAside({ sessionsPath, accountId: 'account', reason: 'logged_out', nowMs: 0 })
  t.equal(target, join(sessionsPath, '.set-aside', 'account-1970-01-01T00-00-00Z-logged_out'))
  await lock.release()
  const second = await waiting
  t.ok(existsSync(join(dir, 'lock')), 'the waiter holds the lock of a new directory')
  await t.rejects(lockSession({ dir, waitMs: 0 }), { code: 'session_locked' })
  const session = await openSession({ dir })
  t.equal(session.origin, 'new')
  await session.close()
  await second.release()
})

t.test('does not make a directory when asked not to', async (t) => {
  const dir = join(t.testdir({}), 'absent')
  await t.rejects(lockSession({ dir, waitMs: 0, create: false }), { code: 'session_not_found' })
  t.notOk(existsSync(dir))
})
