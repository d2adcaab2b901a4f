import t from 'tap'
import { EventLog, EVENT_TYPES } from '../../simulator/events.ts'

const opened = (connectionId: number) => ({ type: 'connection.opened', connectionId }) as const
const online = (phone: string) => ({ type: 'device.online', connectionId: 1, phone, deviceId: 1 }) as const

await t.test('waits for what comes, or looks back to a mark', async (t) => {
  const log = new EventLog()
  log.emit(opened(1))
  const mark = log.mark()
  const next = log.waitFor('connection.opened')
  log.emit(opened(2))
  t.match(await next, { connectionId: 2, sequence: 2 })
  t.match(await log.waitFor('connection.opened', { since: 0 }), { connectionId: 1 })
  t.match(await log.waitFor((event) => event.type === 'connection.opened', { since: mark }), { connectionId: 2 })
  t.match(log.list(mark), [{ connectionId: 2 }])
})

await t.test('tells phones apart', async (t) => {
  const log = new EventLog()
  const second = log.waitFor('device.online', { phone: '222' })
  log.emit(opened(1))
  log.emit(online('111'))
  log.emit(online('222'))
  t.match(await second, { phone: '222' })
})

await t.test('a wait in vain tells what was seen', async (t) => {
  const log = new EventLog()
  const wait = log.waitFor('device.online', { timeoutMs: 1, phone: '333' })
  log.emit(online('111'))
  await t.rejects(wait, {
    code: 'wait_timeout',
    message: /"device.online" of 333.*\n.*device\.online \{.*"phone":"111"/,
  })
  await t.rejects(log.waitFor('device.online', { timeoutMs: 1 }), { message: /seen meanwhile: nothing/ })
})

await t.test('listeners may leave, also while being called', async (t) => {
  const log = new EventLog()
  const seen: number[] = []
  const stop = log.on(({ sequence }) => {
    seen.push(sequence)
    stop()
  })
  log.on(({ sequence }) => seen.push(sequence * 10))
  log.emit(opened(1))
  log.emit(opened(2))
  t.strictSame(seen, [1, 10, 20])
  t.equal(new Set(EVENT_TYPES).size, EVENT_TYPES.length)
})
