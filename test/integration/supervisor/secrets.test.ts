import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { addWithQr, testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess, TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { startSimulator } from '../../simulator/simulator.ts'

/** Reads everything that a service and its workers printed in an eventful life, and everything they wrote outside sessions. */
t.test('no secret is in any log', async (t) => {
  const sessionsPath = t.testdir()
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const service = new SupervisorProcess({
    sessionsPath,
    env: { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, LOG_LEVEL: 'debug' },
  })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const [phone = ''] = testPhones(1)
  const contact = '49151000123'
  const text = 'the-text-of-a-message-0815'

  const { accountId, qrText: qr } = await addWithQr(service, phone)
  await simulator.scanQr(qr, phone)
  await service.connected(1)
  // Decrypted, then undecryptable (a corrupt session makes libsignal print and Baileys complain), then unlinked.
  for (let i = 0; i < 3; i++) await simulator.sendText({ to: phone, from: contact, text })
  await service.account(accountId, ({ lastMessageAt }) => lastMessageAt !== null)
  const creds = readFileSync(join(sessionsPath, accountId, 'creds.json'), 'utf8')
  simulator.inject({ kind: 'corrupt_frame', phone })
  await simulator.sendText({ to: phone, from: contact, text })
  await until('a reconnect', async () => (await service.dashboard()).accounts[0]?.reconnectCount === 1)
  await service.api('POST', '/api/whatsapp/add-account', { name: 'x', phone: `+${phone}0` }, 'wrong-token-4711')
  await service.api('POST', '/api/whatsapp/add-account', { name: 'x', phone: `${text}` })
  await simulator.unlink(phone)
  await service.account(accountId, ({ status }) => status === 'needs_qr')
  await service.end('SIGTERM')

  const printed = service.output.join('\n')
  t.ok(service.lines().length > 20, 'it did print')
  t.match(printed, 'stream.corrupted')
  for (const [what, secret] of [
    ['the token', TOKEN],
    ['a wrong token', 'wrong-token-4711'],
    ['the text of a message', text],
    ['the phone of the account', phone],
    ['the phone of a contact', contact],
    ['the QR text', qr],
    ...qr
      .split(',')
      .slice(1, 4)
      .map((part) => ['a part of the QR text', part]),
    ...stringsOf(JSON.parse(creds)).map((value) => ['a value of creds.json', value]),
  ] as [string, string][]) {
    t.notOk(printed.includes(secret), `${what} is not in the log`)
  }
  const outside = readdirSync(sessionsPath).filter((name) => name.endsWith('.json'))
  t.same(outside, ['accounts.json', 'wa-version.json'], 'neither of which holds a secret')
})

/** The long strings of a JSON value: keys and secrets; not the words of its structure. */
function stringsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.length >= 20 ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(stringsOf)
}
