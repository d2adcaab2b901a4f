import { addTransactionCapability, type SignalDataSet, type SignalKeyStore } from '@whiskeysockets/baileys'
import t from 'tap'
import { createLog } from '../../../../shared/log.ts'
import { systemClock } from '../../../../shared/clock.ts'
import { createBaileysLog } from '../../../../worker/socket/baileys-log.ts'
import { fencedKeys } from '../../../../worker/socket/fenced-keys.ts'

function memoryStore(): { store: SignalKeyStore; values: Map<string, unknown> } {
  const values = new Map<string, unknown>()
  const store: SignalKeyStore = {
    get: async (type, ids) => Object.fromEntries(ids.map((id) => [id, values.get(`${type} ${id}`)])) as never,
    set: async (data: SignalDataSet) => {
      for (const [type, entries] of Object.entries(data)) {
        for (const [id, value] of Object.entries(entries ?? {})) values.set(`${type} ${id}`, value)
      }
    },
  }
  return { store, values }
}

t.test("a transaction that outlives its socket does not overwrite the next one's ratchet", async (t) => {
  const { store, values } = memoryStore()
  const log = createBaileysLog(createLog('silent'), systemClock)
  const options = { maxCommitRetries: 1, delayBetweenTriesMs: 0 }
  const old = fencedKeys(store)
  const oldKeys = addTransactionCapability(old.keys, log, options)
  let goOn = (): void => undefined
  const decrypting = oldKeys.transaction(async () => {
    await new Promise<void>((resolve) => (goOn = resolve))
    await oldKeys.set({ session: { peer: Buffer.from('old ratchet') } })
  }, 'peer')
  old.fence()
  const next = addTransactionCapability(fencedKeys(store).keys, log, options)
  await next.transaction(async () => next.set({ session: { peer: Buffer.from('new ratchet') } }), 'peer')
  goOn()
  await t.rejects(decrypting, /torn down/)
  t.same(values.get('session peer'), Buffer.from('new ratchet'))
})

t.test('before that it stores and finds', async (t) => {
  const { store } = memoryStore()
  const { keys } = fencedKeys(store)
  await keys.set({ session: { peer: Buffer.from('x') } })
  t.same(await keys.get('session', ['peer']), { peer: Buffer.from('x') })
})
