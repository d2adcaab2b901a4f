import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  addTransactionCapability,
  decryptMessageNode,
  DEFAULT_CONNECTION_CONFIG,
  encodeWAMessage,
  generateSignalPubKey,
  initAuthCreds,
  type AuthenticationCreds,
  type BinaryNode,
  type SignalDataSet,
  type SignalKeyStore,
} from '@whiskeysockets/baileys'
import t, { type Test } from 'tap'
import { Inbox } from '../../../worker/core/inbox.ts'
import { MessageStream } from '../../../worker/message-stream.ts'
import { openSession } from '../../../worker/session/session.ts'
import { inboxRepository } from '../../../worker/socket/inbox-repository.ts'
import { Stanzas } from '../../../worker/socket/stanzas.ts'
import { tameBaileys } from '../simulator/baileys-client.ts'

tameBaileys()

const ME = { id: '40700000001:7@s.whatsapp.net', lid: '111:7@lid' }
const CONTACT = '222@lid'
const GROUP = '120363000000000001@g.us'
const log = DEFAULT_CONNECTION_CONFIG.logger.child({})
log.level = 'silent'

type Repository = ReturnType<typeof DEFAULT_CONNECTION_CONFIG.makeSignalRepository>

function withTransactions(keys: SignalKeyStore) {
  return addTransactionCapability(keys, log, { maxCommitRetries: 1, delayBetweenTriesMs: 0 })
}

/** One process of an account: the real session on a disk, and what came of the messages that it read. */
async function startAccount(t: Test, dir: string) {
  const session = await openSession({ dir })
  t.teardown(() => session.close())
  const { creds, keys } = session.authState
  creds.me ??= ME
  await session.saveCreds()
  const inbox = new Inbox('s', session.inbox)
  const stream = new MessageStream({
    inbox,
    nowMs: () => 5,
    onMessage: () => undefined,
    send: () => Promise.resolve(),
  })
  const entered = (): string[] => inbox.next(10).map(({ id }) => id)
  const senderKeys = new Map<string, unknown>()
  const watched: SignalKeyStore = {
    ...keys,
    set: async (data: SignalDataSet) => {
      await keys.set(data)
      for (const [id, record] of Object.entries<unknown>(data['sender-key'] ?? {})) senderKeys.set(id, record)
    },
  }
  const stanzas = new Stanzas(() => creds)
  const repository = inboxRepository(stanzas, stream)({ creds, keys: withTransactions(watched) }, log)
  const read = async (node: BinaryNode, as: Partial<Repository> = {}) => {
    stanzas.note(node)
    const message = decryptMessageNode(node, ME.id, ME.lid, { ...repository, ...as }, log)
    await message.decrypt()
    const { message: content, messageStubParameters } = message.fullMessage as {
      message?: { conversation?: string }
      messageStubParameters?: string[]
    }
    return { text: content?.conversation, failed: messageStubParameters ?? null }
  }
  return { session, creds, repository, senderKeys, entered, read }
}

/** Another phone, in memory. */
function contactOf(account: AuthenticationCreds) {
  const values = new Map<string, unknown>()
  const keys = {
    get: async (type: string, ids: string[]) =>
      Object.fromEntries(ids.map((id) => [id, values.get(`${type} ${id}`) ?? null])),
    set: async (data: SignalDataSet) => {
      for (const [type, of] of Object.entries(data)) {
        for (const [id, value] of Object.entries<unknown>(of ?? {})) values.set(`${type} ${id}`, value)
      }
    },
  } as SignalKeyStore
  const creds = initAuthCreds()
  const repository = DEFAULT_CONNECTION_CONFIG.makeSignalRepository({ creds, keys: withTransactions(keys) }, log)
  const { signedPreKey, signedIdentityKey, registrationId } = account
  const session = {
    registrationId,
    identityKey: generateSignalPubKey(signedIdentityKey.public),
    signedPreKey: {
      keyId: signedPreKey.keyId,
      publicKey: generateSignalPubKey(signedPreKey.keyPair.public),
      signature: signedPreKey.signature,
    },
  }
  return {
    repository,
    begin: () => repository.injectE2ESession({ jid: ME.lid, session: session }),
    /** A message in the group as it comes to a device that has not got the writer's key. */
    write: async (id: string, text: string): Promise<BinaryNode> => {
      const group = await repository.encryptGroupMessage({
        group: GROUP,
        meId: CONTACT,
        data: encodeWAMessage({ conversation: text }),
      })
      const key = encodeWAMessage({
        senderKeyDistributionMessage: {
          groupId: GROUP,
          axolotlSenderKeyDistributionMessage: group.senderKeyDistributionMessage,
        },
      })
      const pairwise = await repository.encryptMessage({ jid: ME.lid, data: key })
      const enc = (type: string, content: Uint8Array): BinaryNode => ({ tag: 'enc', attrs: { type, v: '2' }, content })
      return {
        tag: 'message',
        attrs: { id, from: GROUP, participant: CONTACT, addressing_mode: 'lid', t: '1' },
        content: [enc(pairwise.type, pairwise.ciphertext), enc('skmsg', group.ciphertext)],
      }
    },
  }
}

for (const kind of ['pkmsg', 'msg']) {
  t.test(`a kill between the writer's key (${kind}) and the message in the group that needs it`, async (t) => {
    const dir = t.testdir({ first: {}, second: {} })
    const first = await startAccount(t, join(dir, 'first'))
    const contact = contactOf(first.creds)
    await contact.begin()
    if (kind === 'msg') {
      // Whoever has had an answer sends its own keys no more.
      const hello = await contact.repository.encryptMessage({ jid: ME.lid, data: encodeWAMessage({}) })
      await first.repository.decryptMessage({ jid: CONTACT, type: hello.type, ciphertext: hello.ciphertext })
      const answer = await first.repository.encryptMessage({ jid: CONTACT, data: encodeWAMessage({}) })
      await contact.repository.decryptMessage({ jid: ME.lid, type: answer.type, ciphertext: answer.ciphertext })
    }
    const message = await contact.write('M1', 'hello')
    t.match(message.content, [{ attrs: { type: kind } }, { attrs: { type: 'skmsg' } }])

    let killed: Buffer | undefined
    const whole = await first.read(message, {
      decryptMessage: async (opts) => {
        const plaintext = await first.repository.decryptMessage(opts)
        killed = (await first.session.snapshot()).bytes
        return plaintext
      },
    })
    t.strictSame(whole, { text: 'hello', failed: null }, 'without a kill')
    t.strictSame(first.entered(), ['M1'])
    const [record] = [...first.senderKeys.values()]
    t.equal((JSON.parse(Buffer.from(record as Uint8Array).toString()) as unknown[]).length, 1, 'one key, once')

    mkdirSync(join(dir, 'second'), { recursive: true })
    writeFileSync(join(dir, 'second', 'session.log'), killed ?? '')
    const second = await startAccount(t, join(dir, 'second'))
    t.strictSame(await second.read(message), { text: 'hello', failed: null }, 'delivered again after it')
    t.strictSame(second.entered(), ['M1'])
    const next = await contact.write('M2', 'and again')
    t.strictSame(await second.read(next), { text: 'and again', failed: null })
    t.strictSame(second.entered(), ['M1', 'M2'])
  })
}

t.test('where the key can not be read and is needed, the message fails, so that it is asked for again', async (t) => {
  const account = await startAccount(t, t.testdir())
  const contact = contactOf(account.creds)
  await contact.begin()
  const message = await contact.write('M1', 'hello')
  const [pairwise] = message.content as BinaryNode[]
  const bytes = pairwise?.content as Uint8Array
  // In the ciphertext proper.
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  t.match(await account.read(message), { text: undefined, failed: [/./] })
  t.strictSame(account.entered(), [])
})
