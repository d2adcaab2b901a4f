import { makeServerCertificate } from './certificate.ts'
import { handleControl } from './control-http.ts'
import { SCAN_QR_PATH } from './control-routes.ts'
import type { ConnectionState } from './connection.ts'
import { SimulatorError } from './errors.ts'
import { describeEvent, type EventType, type SimulatorEvent, type WaitOptions } from './events.ts'
import { parseFault, type Fault, type FaultHandle } from './faults.ts'
import { HOST, Listener, WS_PATH } from './listener.ts'
import type { Receipt, ReceivedMessage } from './mailbox.ts'
import { MediaServer } from './media-server.ts'
import { sendFromPhone, sendToGroup, type Addressing } from './messages.ts'
import { agreeOnSecret } from './pairing-code.ts'
import { sendReceiptTo } from './receipts.ts'
import type { LinkedDevice } from './registration.ts'
import { Service, type Attempt } from './service.ts'
import { openState } from './state.ts'

export interface SimulatorOptions {
  /** TCP port on 127.0.0.1; 0, the default, takes any free one. */
  readonly port?: number
  /** File that keeps phones, devices, sessions, waiting messages and the root key over restarts; absent: in memory. */
  readonly statePath?: string
  /** Answer to the prekey count query. 1, the default, keeps a pairing cheap (5 keys); 0 makes clients upload 812. */
  readonly reportedPreKeys?: number | 'real'
  /** QRs that a registration may show before it is over; 6 by default, as on the service. */
  readonly qrRefs?: number
  /** The past that a newly linked device gets; 2 chats of 2 messages by default. */
  readonly history?: { readonly chats: number; readonly messagesPerChat: number }
  /** Takes uploads of media, by HTTPS on a port of its own. */
  readonly media?: boolean
  /** Numbers (digits) that lookups shall not find. */
  readonly notOnWhatsApp?: readonly string[]
  /** Gets one line per event; never keys or message texts. */
  readonly log?: (line: string) => void
}

export interface ConnectionInfo {
  readonly id: number
  /** Of a login. */
  readonly phone?: string
  readonly deviceId?: number
  readonly state: ConnectionState
  readonly openedAtMs: number
}

export interface PhoneInfo {
  readonly phone: string
  readonly lid: string
  readonly name: string
  readonly devices: readonly {
    readonly deviceId: number
    readonly keyIndex: number
    readonly online: boolean
    readonly preKeysLeft: number
    /** Stanzas that the device has not confirmed yet. */
    readonly waiting: number
  }[]
}

export interface Simulator {
  /** For Baileys' `waWebSocketUrl`. */
  readonly url: string
  readonly port: number
  /** Public root key, 64 hex digits: for Baileys' `WA_CERT_DETAILS.PUBLIC_KEY`. */
  readonly noiseRootKey: string
  /** PEM of the media server's certificate, for an agent's `ca`; undefined without the option `media`. */
  readonly mediaCertificate: string | undefined
  /**
   * A phone scans this QR; resolves once the device's signature was verified. `phone`: digits, picked when absent.
   * Rejects with `unknown_qr`, `bad_request`, `pairing_failed`.
   */
  scanQr(qrText: string, phone?: string): Promise<LinkedDevice>
  /** The phone's owner types the code that the client shows. Rejects with `wrong_pairing_code` (try again), `no_pairing_request`, `pairing_failed`. */
  enterPairingCode(phone: string, code: string): Promise<LinkedDevice>
  /**
   * Phone `from` writes to phone `to`; both are digits. Linked devices of both get it, now or when they log in.
   * Rejects with `not_linked` when neither has a device that could.
   */
  sendText(message: {
    readonly to: string
    readonly from: string
    readonly text: string
    readonly addressing?: Addressing
  }): Promise<{ id: string }>
  /**
   * Phone `from` writes to a group (digits) that it and `to` are in; linked devices of `to` get it. Rejects with `not_linked`
   * when there is none.
   */
  sendGroupText(message: {
    readonly to: string
    readonly from: string
    readonly group: string
    readonly text: string
  }): Promise<{ id: string }>
  /** The recipient reads a message of the account: its devices get a read receipt. Throws `unknown_message`. */
  markRead(phone: string, messageId: string): void
  /** What the account sent, as its recipients decrypted it. */
  sentBy(phone: string): ReceivedMessage[]
  /** What clients answered to a message of `sendText`. */
  receiptsOf(messageId: string): readonly Receipt[]
  /** The phone removes a linked device, or all: 401 for a live connection and for every later login. Rejects with `not_linked`. */
  unlink(phone: string, deviceId?: number): Promise<void>
  connections(): ConnectionInfo[]
  attempts(): readonly Attempt[]
  /** Phones with linked devices; with `everybody` the contacts too. */
  phones(options?: { readonly everybody?: boolean }): PhoneInfo[]
  /** Arms a fault; one for connections strikes those that are there at once. Throws `bad_request`. */
  inject(fault: Fault): FaultHandle
  faults(): readonly FaultHandle[]
  clearFaults(): void
  /** Cuts the TCP connections, all or those of one phone; returns how many. */
  dropAll(phone?: string): number
  /** New connections are refused (ECONNREFUSED) until `listen`; live ones stay. */
  stopListening(): Promise<void>
  listen(): Promise<void>
  /** Calls back for each event from now on; returns how to stop. */
  on(listener: (event: SimulatorEvent) => void): () => void
  events(since?: number): SimulatorEvent[]
  /** A place in the events, for `since`. */
  mark(): number
  /** Resolves with the next event of the type, or that the function takes. Rejects with what was seen instead. */
  waitFor(wanted: EventType | ((event: SimulatorEvent) => boolean), options?: WaitOptions): Promise<SimulatorEvent>
  /** Cuts all, saves the state, leaves no handle; may be called twice. */
  close(): Promise<void>
}

/** Starts the simulated service. Rejects with `cannot_start` (port, state file) and `bad_request` (options). */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port = 0, reportedPreKeys = 1, qrRefs = 6, history = { chats: 2, messagesPerChat: 2 }, log } = options
  checkOptions({ port, reportedPreKeys, qrRefs, ...history })
  const store = await openState(options.statePath)
  let media: MediaServer | undefined
  const behaviour = {
    ...{ reportedPreKeys, qrRefs, history },
    notOnWhatsApp: new Set(options.notOnWhatsApp),
    mediaHost: () => media?.hostname,
  }
  const service = new Service(behaviour, makeServerCertificate(store.root), store.phones, () =>
    store.save(service.directory.all()),
  )
  const { events, directory, mailbox, registrations } = service
  if (log) events.on((event) => log(describeEvent(event)))
  const listener = new Listener(port, {
    decideUpgrade: () => service.decideUpgrade(),
    onConnection: (socket) => service.onConnection(socket),
    onRequest: (request, response) => {
      if (request.url === SCAN_QR_PATH) void handleControl(simulator, request, response)
      else response.writeHead(404).end()
    },
  })
  if (options.media === true) media = new MediaServer(events)
  try {
    await listener.start()
    await media?.start()
  } catch (error) {
    await store.close()
    throw error
  }
  let closing: Promise<void> | undefined

  const simulator: Simulator = {
    url: `ws://${HOST}:${listener.port}${WS_PATH}`,
    port: listener.port,
    noiseRootKey: store.root.publicKey.toString('hex'),
    mediaCertificate: media?.certificate,

    async scanQr(qrText, phone) {
      const { candidate, advSecret } = registrations.findByQr(qrText)
      return registrations.link(candidate, directory.get(phone ?? directory.pickNumber()), advSecret)
    },
    async enterPairingCode(number, code) {
      const phone = directory.get(number)
      const candidate = registrations.all().findLast(({ codeRequest }) => codeRequest?.phone === number)
      if (!candidate) {
        throw new SimulatorError('no_pairing_request', `no open connection asked for a pairing code for ${number}`)
      }
      const secret = await agreeOnSecret(candidate, service.signalOf(phone).identity, code)
      return registrations.link(candidate, phone, secret)
    },
    async sendText({ to, from, text, addressing = 'lid' }) {
      const recipient = directory.get(to)
      const writer = directory.get(from)
      if (recipient.companions.length + writer.companions.length === 0) {
        throw new SimulatorError(
          'not_linked',
          `neither ${to} nor ${from} has a linked device that could get the message`,
        )
      }
      return { id: await sendFromPhone(service, writer, recipient, { conversation: text }, addressing) }
    },
    async sendGroupText({ to, from, group, text }) {
      const recipient = directory.get(to)
      if (recipient.companions.length === 0) {
        throw new SimulatorError('not_linked', `${to} has no linked device that could get the message`)
      }
      return {
        id: await sendToGroup(service, directory.get(from), recipient, `${group}@g.us`, { conversation: text }),
      }
    },
    markRead(number, messageId) {
      const account = directory.get(number)
      const message = mailbox.sentBy(number).find(({ id }) => id === messageId)
      if (!message) throw new SimulatorError('unknown_message', `${number} sent no message ${messageId}`)
      const reader = directory.get(message.to)
      for (const { deviceId } of account.companions) {
        sendReceiptTo(service, { phone: account, deviceId }, reader, {
          messageId,
          usesLid: message.usesLid,
          type: 'read',
        })
      }
    },
    sentBy: (number) => mailbox.sentBy(number),
    receiptsOf: (messageId) => mailbox.receiptsOf(messageId),
    async unlink(number, deviceId) {
      const phone = directory.find(number)
      const removed = phone?.companions.filter((companion) => deviceId === undefined || companion.deviceId === deviceId)
      if (!phone || !removed?.length) {
        throw new SimulatorError(
          'not_linked',
          `${number} has no linked device${deviceId === undefined ? '' : ` ${deviceId}`}`,
        )
      }
      for (const companion of removed) service.unlink(phone, companion, 'phone')
    },
    connections: () =>
      service.connections().map(({ id, state, openedAtMs, login }) => ({ id, state, openedAtMs, ...login })),
    attempts: () => service.attempts(),
    phones: ({ everybody = false } = {}) =>
      directory
        .all()
        .filter(({ companions }) => everybody || companions.length > 0)
        .map((phone) => ({
          phone: phone.number,
          lid: phone.lid,
          name: phone.name,
          devices: phone.companions.map((companion) => ({
            deviceId: companion.deviceId,
            keyIndex: companion.keyIndex,
            online: service.onlineConnection(phone, companion) !== undefined,
            preKeysLeft: companion.preKeys.length,
            waiting: companion.queue.length,
          })),
        })),
    inject: (fault) => service.inject(parseFault(fault)),
    faults: () => service.faults.list(),
    clearFaults: () => service.faults.clear(),
    dropAll(phone) {
      const dropped = service.connections().filter(({ login }) => phone === undefined || login?.phone === phone)
      for (const connection of dropped) connection.drop()
      return dropped.length
    },
    stopListening: () => listener.stop(),
    listen: () => listener.start(),
    on: (callback) => events.on(callback),
    events: (since) => events.list(since),
    mark: () => events.mark(),
    waitFor: (wanted, waitOptions) => events.waitFor(wanted, waitOptions),
    close() {
      closing ??= (async () => {
        await listener.close()
        await media?.close()
        await service.close()
        events.close()
        await store.close(directory.all())
      })()
      return closing
    },
  }
  return simulator
}

function checkOptions(options: Readonly<Record<string, number | 'real'>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === 'real' && name === 'reportedPreKeys') continue
    const max = name === 'port' ? 65_535 : 10_000
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > max) {
      throw new SimulatorError('bad_request', `option ${name} is ${value}: wanted a whole number from 0 to ${max}`)
    }
  }
}
