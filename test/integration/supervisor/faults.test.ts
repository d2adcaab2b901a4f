import t from 'tap'
import { until } from '../../fixtures/until.ts'
import { phone, row, runRows, type Row } from './fixtures/fault-table.ts'

const ROWS: Row[] = [
  row('TCP drop', { kind: 'drop', phone }, 'disconnected', 'connection_closed'),
  row('ws close 1011', { kind: 'close', code: 1011, phone }, 'disconnected', 'connection_closed'),
  row('xmlstreamend', { kind: 'stream_end', phone }, 'disconnected', 'connection_closed'),
  row('stream:error 515', { kind: 'stream_error', code: 515, phone }, 'connecting', 'restart_required'),
  row('stream:error 500', { kind: 'stream_error', code: 500, phone }, 'disconnected', 'server_error'),
  row('stream:error 503', { kind: 'stream_error', code: 503, phone }, 'disconnected', 'server_error'),
  row('stream:error 429', { kind: 'stream_error', code: 429, phone }, 'disconnected', 'server_error'),
  row('stream:error ack', { kind: 'stream_error', child: 'ack', phone }, 'disconnected', 'server_error'),
  row('stream:error 403', { kind: 'stream_error', code: 403, phone }, 'disconnected', 'forbidden', { waits: true }),
  row('replaced', { kind: 'stream_error', conflict: 'replaced', phone }, 'disconnected', 'replaced', { waits: true }),
  row('downgrade', { kind: 'downgrade', phone }, 'disconnected', 'refused'),
  row('corrupt frame', { kind: 'corrupt_frame', phone }, 'disconnected', 'protocol_error'),
]

await t.test('what ends a connection, and what follows', async (t) => {
  const { service, simulator, accountId, identity } = await runRows(t, ROWS)
  const before = identity()

  await t.test('a server that is not there, and comes back', async (t) => {
    const seen = service.output.length
    await simulator.stopListening()
    simulator.dropAll()
    await until('the failed attempt', () => service.lines(seen).some((l) => l['reason'] === 'connection_lost'))
    t.equal((await service.account(accountId, (a) => a.status === 'disconnected')).needsPerson, false)
    await simulator.listen()
    await service.account(accountId, ({ status }) => status === 'connected')
    t.same(identity(), before)
  })

  await t.test('a node that can not be parsed leaves the connection alone', async (t) => {
    const { reconnectCount } = await service.account(accountId, () => true)
    simulator.inject({ kind: 'unparsable_node', phone })
    await service.logged('rejection.unhandled')
    const { id } = await simulator.sendText({ to: phone, from: '49151000001', text: 'and now?' })
    await until('the receipt', () => simulator.receiptsOf(id).length > 0)
    t.equal((await service.account(accountId, () => true)).reconnectCount, reconnectCount)
  })

  t.same(await service.end('SIGTERM'), { code: 0, signal: null }, service.tail())
})
