import { randomBytes } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { proto } from '@whiskeysockets/baileys'
import { makeMessageId } from './message-id.ts'
import { sendToOwnDevice } from './messages.ts'
import { lidJid, pnJid, type Companion, type Phone } from './phone.ts'
import type { World } from './world.ts'

const MINUTE_SECONDS = 60
const APP_STATE_KEY_BYTES = 32
/** App-state key ids have 6 bytes: an epoch and a device. */
const APP_STATE_KEY_ID_BYTES = 6

/**
 * What a phone sends a device that it has just linked: a key for the app state, then the past in two parts, the second of
 * which says that it is the last. Baileys holds its events back for 20 s when this does not come.
 */
export async function sendFirstSync(world: World, phone: Phone, companion: Companion): Promise<void> {
  companion.historySent = true
  const { Type } = proto.Message.ProtocolMessage
  await sendToOwnDevice(world, phone, companion, {
    type: Type.APP_STATE_SYNC_KEY_SHARE,
    appStateSyncKeyShare: {
      keys: [
        {
          keyId: { keyId: randomBytes(APP_STATE_KEY_ID_BYTES) },
          keyData: {
            keyData: randomBytes(APP_STATE_KEY_BYTES),
            fingerprint: { rawId: 1, currentIndex: 0, deviceIndexes: [0] },
            timestamp: Date.now(),
          },
        },
      ],
    },
  })
  const { INITIAL_BOOTSTRAP, RECENT } = proto.HistorySync.HistorySyncType
  const parts = [
    { syncType: INITIAL_BOOTSTRAP, progress: 0, conversations: conversationsOf(world, phone) },
    { syncType: RECENT, progress: 100, conversations: [] },
  ]
  for (const [chunkOrder, { syncType, progress, conversations }] of parts.entries()) {
    const history = proto.HistorySync.encode({ syncType, progress, chunkOrder, conversations }).finish()
    await sendToOwnDevice(world, phone, companion, {
      type: Type.HISTORY_SYNC_NOTIFICATION,
      // The two enumerations are the same list under two names.
      historySyncNotification: {
        syncType: syncType as number,
        progress,
        chunkOrder,
        initialHistBootstrapInlinePayload: deflateSync(history),
      },
    })
  }
}

function conversationsOf(world: World, phone: Phone): proto.IConversation[] {
  const { chats, messagesPerChat } = world.behaviour.history
  const nowSeconds = Math.floor(Date.now() / 1000)
  return Array.from({ length: chats }, (_chat, chatIndex) => {
    const contact = world.directory.get(historyContactNumber(phone, chatIndex))
    const messages = Array.from({ length: messagesPerChat }, (_message, index) => ({
      message: {
        key: { remoteJid: pnJid(contact), fromMe: index % 2 === 1, id: makeMessageId() },
        message: { conversation: `Message ${index + 1} of chat ${chatIndex + 1}` },
        messageTimestamp: nowSeconds - (chatIndex * messagesPerChat + index + 1) * MINUTE_SECONDS,
      },
    }))
    return { id: pnJid(contact), lidJid: lidJid(contact), name: contact.name, messages }
  })
}

/** The same contacts for the same phone, in a number range that no country has (+9995...). */
function historyContactNumber(phone: Phone, chatIndex: number): string {
  return `9995${phone.number.slice(-5)}${String(chatIndex).padStart(4, '0')}`
}
