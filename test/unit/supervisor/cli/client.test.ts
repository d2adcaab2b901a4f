import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import t, { type Test } from 'tap'
import { Client } from '../../../../supervisor/cli/client.ts'

type Answer = (response: ServerResponse, request: IncomingMessage) => void

/** A real server that answers each request in its turn, and the last one as all that follow. */
async function serve(t: Test, ...answers: Answer[]): Promise<{ client: Client; asked: IncomingMessage[] }> {
  const asked: IncomingMessage[] = []
  const server = createServer((request, response) => {
    const answer = answers[asked.length] ?? answers.at(-1)
    asked.push(request)
    answer?.(response, request)
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const settings = { url: `http://127.0.0.1:${port}`, token: 'x' }
  return { client: new Client(settings, { silenceMs: 10_000, reconnectMs: 1 }), asked }
}

/** Opens a stream with one event. */
const event =
  (id: number, then: Answer = () => undefined): Answer =>
  (response, request) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`id: ${id}\nevent: fleet.event\ndata: ${id}\n\n`, () => then(response, request))
  }
const reset: Answer = (_response, request) => void request.socket.resetAndDestroy()
const refuse =
  (status: number, code: string): Answer =>
  (response) =>
    void response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify({ success: false, error: { code, message: `Said ${code}.` } }))

/** Listens until this event. */
async function listen(client: Client, untilData: number): Promise<{ seen: unknown[]; lost: string[] }> {
  const seen: unknown[] = []
  const lost: string[] = []
  for await (const { data } of client.events('', (why) => lost.push(why))) {
    seen.push(data)
    if (data === untilData) break
  }
  return { seen, lost }
}

t.test('a stream that is cut, closed or silent is opened again from where it ended, the first one too', async (t) => {
  const { client, asked } = await serve(
    t,
    event(1, reset),
    reset,
    refuse(503, 'shutting_down'),
    refuse(429, 'too_many_requests'),
    (response) => void response.writeHead(502).end('<html>'),
    event(2),
    event(3, (response) => void response.end()),
    event(4),
  )
  const { seen, lost } = await listen(client, 4)
  t.strictSame(seen, [1, 2, 3, 4])
  const at = asked.map(({ headers }) => headers['last-event-id'])
  t.strictSame(at, [undefined, '1', '1', '1', '1', '1', '2', '3'])
  t.equal(lost.length, 7)
  t.match(lost[0], /ECONNRESET|other side closed/, 'why, not that it was "terminated"')
  t.equal(lost[5], 'nothing came for too long')
  t.equal(lost[6], 'the service closed the stream')
})

t.test('a stream that was open without an event yet is opened again as well', async (t) => {
  const open: Answer = (response, request) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(': hello\n\n', () => reset(response, request))
  }
  const { client } = await serve(t, open, event(1))
  t.match(await listen(client, 1), { seen: [1], lost: [/./] })
})

t.test('what the service means to say ends it, at first and later', async (t) => {
  const { client: stranger } = await serve(t, refuse(401, 'unauthorized'))
  await t.rejects(listen(stranger, 1), { code: 'unauthorized' })
  const { client: full } = await serve(t, refuse(429, 'too_many_requests'))
  await t.rejects(listen(full, 1), { code: 'too_many_requests' })
  const { client: revoked } = await serve(t, event(1, reset), refuse(401, 'unauthorized'))
  await t.rejects(listen(revoked, 2), { code: 'unauthorized' })
  const { client: cut } = await serve(t, reset)
  await t.rejects(listen(cut, 1), { code: 'unavailable' }, 'nobody is told to wait for a service that was never there')
})

t.test('an answer that is cut in its middle is a sentence, not a stack', async (t) => {
  const half: Answer = (response, request) => {
    response.writeHead(200, { 'content-length': '1000' })
    response.write('half', () => reset(response, request))
  }
  const { client } = await serve(t, half)
  await t.rejects(client.dashboard(), { code: 'unavailable' })
  await t.rejects(client.qrText('account_a'), { code: 'unavailable' })
})
