import type { SignalDataSet, SignalKeyStore } from '@whiskeysockets/baileys'

export interface FencedKeys {
  keys: SignalKeyStore
  /** From now on nothing is stored any more through `keys`. What was handed over before is. */
  fence(): void
}

/**
 * The key store as one socket sees it. A decryption that was under way when the socket was torn down goes on by itself:
 * its transaction has read a ratchet, and would store it, a step further, over what the next socket has made of the same
 * one meanwhile. Such a write is refused. Nothing is lost by that: the line is cut by then, so WhatsApp has no receipt and
 * delivers the message again.
 */
export function fencedKeys(store: SignalKeyStore): FencedKeys {
  let isFenced = false
  return {
    keys: {
      get: (type, ids) => store.get(type, ids),
      set: async (data: SignalDataSet) => {
        if (isFenced) throw new Error('This socket was torn down: what it still wants to store is of the past')
        await store.set(data)
      },
    },
    fence: () => {
      isFenced = true
    },
  }
}
