import t from 'tap'
import { clientFor, tameBaileys, simulatorFor, textOf } from './baileys-client.ts'

tameBaileys()

await t.test('pairs by QR, logs in, exchanges text', async (t) => {
  const simulator = await simulatorFor(t)
  const client = clientFor(t, simulator)
  const linked = await client.pair(simulator, '40712345678')
  t.match(linked, { phone: '40712345678', jid: '40712345678:1@s.whatsapp.net', deviceId: 1 })

  const first = await simulator.sendText({ to: linked.phone, from: '40798765432', text: 'hello' })
  t.equal(textOf(await client.message(first.id)), 'hello')

  const sent = await client.socket.sendMessage('40798765432@s.whatsapp.net', { text: 'hello yourself' })
  const id = sent?.key.id ?? ''
  await client.status(id, 3)
  t.match(simulator.sentBy(linked.phone), [{ id, to: '40798765432', text: 'hello yourself' }])
})
