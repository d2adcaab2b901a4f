import t from 'tap'
import { clientFor, simulatorFor, tameBaileys, textOf } from './baileys-client.ts'

// In a process of its own: each Baileys socket slows down every later one of its process, for as long as that runs.

tameBaileys()

const CONTACT = '40798765432'
const CONTACT_JID = `${CONTACT}@s.whatsapp.net`

await t.test('thirty clients at once', async (t) => {
  const simulator = await simulatorFor(t)
  const numbers = Array.from({ length: 30 }, (_, index) => `407123450${String(index).padStart(2, '0')}`)
  await Promise.all(
    numbers.map(async (number) => {
      const client = clientFor(t, simulator, {}, number)
      await client.pair(simulator, number)
      const { id } = await simulator.sendText({ to: number, from: CONTACT, text: `for ${number}` })
      t.equal(textOf(await client.message(id)), `for ${number}`)
      const sent = await client.socket.sendMessage(CONTACT_JID, { text: `from ${number}` })
      await client.status(sent?.key.id ?? '', 3)
    }),
  )
  t.equal(simulator.connections().filter(({ state }) => state === 'online').length, 30)
  t.strictSame(
    numbers.map((number) => simulator.sentBy(number).map(({ text }) => text)),
    numbers.map((number) => [`from ${number}`]),
  )
})
