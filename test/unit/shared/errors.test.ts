import { readFileSync } from 'node:fs'
import t from 'tap'
import { AppError, errnoOf, ERRORS, messageOf, type ErrorCode } from '../../../shared/errors.ts'
import { EXIT, exitNameOf } from '../../../shared/exit-codes.ts'

t.test('every error has a status of HTTP and a meaning', async (t) => {
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const error = new AppError(code, 'words', { details: { a: 1 } })
    t.ok(error.httpStatus >= 400 && error.httpStatus < 600, code)
    t.match(error, { name: 'AppError', code, message: 'words', details: { a: 1 } })
    t.ok(ERRORS[code].meaning.length > 0)
  }
})

t.test('a cause is kept, and not invented', async (t) => {
  const cause = new Error('below')
  t.equal(new AppError('internal', 'x', { cause }).cause, cause)
  t.notOk('cause' in new AppError('internal', 'x'))
})

t.test('whatever is thrown has a message', async (t) => {
  t.equal(messageOf(new Error('a')), 'a')
  t.equal(messageOf('b'), 'b')
  t.equal(messageOf(1006), '1006')
  t.equal(messageOf(undefined), 'undefined')
})

t.test('only a failed system call has an errno', async (t) => {
  let thrown: unknown
  try {
    readFileSync('/nowhere/at/all')
  } catch (error) {
    thrown = error
  }
  t.equal(errnoOf(thrown), 'ENOENT')
  t.equal(errnoOf(new AppError('internal', 'x')), undefined)
  t.equal(errnoOf(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG' })), undefined)
  t.equal(errnoOf(Object.assign(new Error('x'), { code: 28 })), undefined)
  t.equal(errnoOf({ code: 'ENOSPC' }), undefined)
})

t.test('exit codes are told apart, and are codes that a process can end with', async (t) => {
  const codes = Object.values(EXIT).map(({ code }) => code)
  t.equal(new Set(codes).size, codes.length)
  t.ok(
    codes.every((code) => Number.isInteger(code) && code >= 0 && code < 126),
    'below those of shells and signals',
  )
  for (const name of Object.keys(EXIT) as (keyof typeof EXIT)[]) t.equal(exitNameOf(EXIT[name].code), name)
  t.equal(exitNameOf(137), undefined)
  // systemd/*.service says RestartPreventExitStatus=78.
  t.equal(EXIT.badConfig.code, 78)
})
