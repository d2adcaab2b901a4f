import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { WA_CERT_DETAILS } from '@whiskeysockets/baileys'
import t from 'tap'
import { ROUTES } from '../../simulator/control-routes.ts'
import { BaileysClient, directoryOf, simulatorFor, tameBaileys, textOf, type TestScope } from './baileys-client.ts'

tameBaileys()

const COMMAND = join(import.meta.dirname, '..', '..', 'simulator', 'simulator-command.js')
const ACCOUNT = '40712345678'
const CONTACT = '40798765432'
const GROUP = '120363000000000001'
const IN_GROUP = { to: ACCOUNT, from: CONTACT, text: 'to all', group: GROUP }

interface Started {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly url: string
  readonly noiseRootKey: string
  readonly controlUrl: string
}

function runCommand(test: TestScope, ...args: string[]): Started['child'] {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  test.teardown(() => child.kill('SIGKILL'))
  return child
}

async function start(test: TestScope, ...args: string[]): Promise<Started> {
  const child = runCommand(test, ...args)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  const started = JSON.parse(line) as Omit<Started, 'child'>
  WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(started.noiseRootKey, 'hex')
  return { child, ...started }
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

async function ask(base: string, method: string, path: string, body?: unknown): Promise<Answer> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const response = await fetch(`${base}${path}`, { method, ...(body === undefined ? {} : { body: text }) })
  const answer = await response.text()
  return { status: response.status, body: answer === '' ? undefined : JSON.parse(answer) }
}

async function failure(test: TestScope, ...args: string[]): Promise<{ code: unknown; text: string }> {
  const child = runCommand(test, ...args)
  const chunks: string[] = []
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  const [code] = (await once(child, 'close')) as unknown[]
  return { code, text: chunks.join('') }
}

await t.test('the command is driven over HTTP from pairing to unlinking', async (t) => {
  const { child, url, controlUrl } = await start(t, '--prekeys', '1', '--state', join(directoryOf(t), 'state.json'))
  const control = (method: string, path: string, body?: unknown): Promise<Answer> => ask(controlUrl, method, path, body)
  const client = new BaileysClient(url, join(directoryOf(t), 'session'))
  t.teardown(() => client.stop())

  await client.connect()
  t.match(await control('POST', '/scan', { qr: await client.qr(), phone: ACCOUNT }), {
    status: 200,
    body: { phone: ACCOUNT, deviceId: 1 },
  })
  await client.closed()
  const online = control('POST', '/wait', { type: 'device.online', phone: ACCOUNT, timeoutMs: 60_000 })
  await client.reconnect()
  t.match(await online, { status: 200, body: { type: 'device.online', phone: ACCOUNT } })

  const sent = (await control('POST', '/messages', { to: ACCOUNT, from: CONTACT, text: 'over HTTP' })).body as {
    id: string
  }
  t.equal(textOf(await client.message(sent.id)), 'over HTTP')
  const inGroup = await client.message(((await control('POST', '/messages', IN_GROUP)).body as { id: string }).id)
  t.match(inGroup, { key: { remoteJid: `${GROUP}@g.us` } })
  t.equal(textOf(inGroup), 'to all')
  const answered = await client.socket.sendMessage(`${CONTACT}@s.whatsapp.net`, { text: 'and back' })
  const id = answered?.key.id ?? ''
  await client.status(id, 3)
  t.match(await control('GET', `/phones/${ACCOUNT}/sent`), { body: [{ id, text: 'and back' }] })
  t.match(await control('POST', `/messages/${id}/read`, { phone: ACCOUNT }), { status: 204 })
  await client.status(id, 4)
  t.match(await control('GET', `/messages/${sent.id}/receipts`), { body: [{ phone: ACCOUNT }] })
  t.match(await control('GET', '/phones'), { body: [{ phone: ACCOUNT, devices: [{ online: true }] }] })
  t.match(await control('GET', '/connections'), { body: [{ phone: ACCOUNT, state: 'online' }] })
  t.match(await control('GET', '/attempts'), { body: [{ outcome: 'registration' }, { outcome: 'login' }] })
  t.match(await control('GET', '/events?since=0'), { body: [{ type: 'connection.opened', sequence: 1 }] })

  const armed = await control('POST', '/faults', { kind: 'stream_error', code: 503, phone: ACCOUNT })
  t.match(armed, { status: 200, body: { id: 1, hits: 1 } })
  t.equal(await client.closed(), 503)
  t.match(await control('DELETE', '/faults/1'), { status: 404, body: { error: { code: 'not_found' } } })
  t.match(await control('DELETE', '/faults'), { status: 204 })
  await client.reconnect()
  t.match(await control('POST', '/connections/drop', {}), { body: { dropped: 1 } })
  await client.closed()

  t.match(await control('POST', '/listener/stop'), { status: 204 })
  client.forget()
  await client.connect()
  t.equal(await client.closed(), 408)
  t.match(await control('POST', '/listener/start'), { status: 204 })
  await client.reconnect()
  t.match(await control('DELETE', `/phones/${ACCOUNT}/devices/1`), { status: 204 })
  t.equal(await client.closed(), 401)
  t.match(await control('DELETE', `/phones/${ACCOUNT}/devices`), {
    status: 404,
    body: { error: { code: 'not_linked' } },
  })

  child.kill('SIGTERM')
  t.strictSame(await once(child, 'exit'), [0, null])
})

await t.test("takes QRs as Baileys' own end-to-end suite posts them, on the WebSocket's port", async (t) => {
  const simulator = await simulatorFor(t)
  const client = new BaileysClient(simulator.url, join(directoryOf(t), 'session'))
  t.teardown(() => client.stop())
  await client.connect()
  const answer = await ask(`http://127.0.0.1:${simulator.port}`, 'POST', '/admin/mock-phone/scan-qr', await client.qr())
  t.match(answer, { status: 200, body: { phone: /^999/ } })
  t.equal(await client.closed(), 515)
})

await t.test('refuses what it does not understand, with a reason', async (t) => {
  const { controlUrl } = await start(t)
  const cases: readonly [string, string, unknown, number, string, RegExp][] = [
    ['GET', '/nothing', undefined, 404, 'not_found', /GET \/ lists them/],
    ['PUT', '/faults', undefined, 405, 'method_not_allowed', /GET, POST, DELETE/],
    ['POST', '/faults', '{"kind"', 400, 'bad_request', /no JSON/],
    ['POST', '/faults', { kind: 'x' }, 400, 'bad_request', /unknown fault kind "x"/],
    ['POST', '/messages', { to: '+40', from: CONTACT, text: 'x' }, 400, 'bad_request', /\/to/],
    ['POST', '/messages', { to: ACCOUNT, from: CONTACT, text: 'x' }, 404, 'not_linked', /40712345678/],
    ['POST', '/messages', IN_GROUP, 404, 'not_linked', /40712345678/],
    ['POST', '/messages', { ...IN_GROUP, group: '12' }, 400, 'bad_request', /\/group/],
    ['POST', '/messages', { ...IN_GROUP, addressing: 'pn' }, 400, 'bad_request', /addressing/],
    ['POST', '/scan', { qr: 'hello' }, 400, 'bad_request', /no QR text/],
    ['POST', '/pairing-code', { phone: ACCOUNT, code: 'X' }, 404, 'no_pairing_request', /40712345678/],
    ['POST', '/wait', { type: 'device.paired', timeoutMs: 1 }, 408, 'wait_timeout', /device\.paired/],
    ['POST', '/wait', { type: 'lunch' }, 400, 'bad_request', /\/type/],
    ['DELETE', '/faults/abc', undefined, 400, 'bad_request', /"abc"/],
    ['POST', '/scan', 'x'.repeat(70_000), 400, 'bad_request', /65536 bytes/],
  ]
  for (const [method, path, body, status, code, message] of cases) {
    t.match(
      await ask(controlUrl, method, path, body),
      { status, body: { error: { code, message } } },
      `${method} ${path}`,
    )
  }
  const fromPage = await fetch(controlUrl, { headers: { origin: 'https://example.com' } })
  t.equal(fromPage.status, 400)
  const index = await ask(controlUrl, 'GET', '/')
  t.equal((index.body as { endpoints: unknown[] }).endpoints.length, ROUTES.length)
})

await t.test('wrong flags, and a port that is taken, end the command with one line', async (t) => {
  const { port } = await simulatorFor(t)
  const cases: readonly [string[], number, RegExp][] = [
    [['--port', 'abc'], 2, /^simulator: --port is "abc": wanted a whole number from 0 to 65535\n$/],
    [['--control-port', '70000'], 2, /^simulator: --control-port is "70000"/],
    [['--prekeys', '-1'], 2, /^simulator: .*--prekeys/],
    [['--lunch'], 2, /^simulator: Unknown option '--lunch'.*--help/],
    [
      ['--port', String(port)],
      1,
      new RegExp(`^simulator: can't listen on 127.0.0.1:${port} \\(EADDRINUSE\\).*another port`),
    ],
    [['--control-port', String(port)], 1, /EADDRINUSE/],
  ]
  await Promise.all(
    cases.map(async ([args, code, text]) => {
      const result = await failure(t, ...args)
      t.match(result, { code, text }, args.join(' '))
      t.equal(result.text.trimEnd().split('\n').length, 1)
    }),
  )
})

await t.test('an idle connection is not ended: the next call over it could be reset', async (t) => {
  const { controlUrl } = await start(t)
  // A server that is going to end it says after how long.
  const { headers } = await fetch(controlUrl)
  t.equal(headers.get('connection'), 'keep-alive')
  t.equal(headers.get('keep-alive'), null)
})

await t.test('goes when its parent goes', async (t) => {
  const { child } = await start(t, '--exit-with-parent')
  child.stdin.end()
  t.strictSame(await once(child, 'exit'), [0, null])
})
