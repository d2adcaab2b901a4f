import type { BinaryNode } from '@whiskeysockets/baileys'
import type { WebSocket } from 'ws'
import type { ServerCertificate } from './certificate.ts'
import { Connection, type Hello } from './connection.ts'
import { Directory } from './directory.ts'
import { EventLog } from './events.ts'
import { strike } from './fault-actions.ts'
import { FaultBoard, type Fault, type FaultHandle } from './faults.ts'
import type { UpgradeAnswer } from './listener.ts'
import { logIn } from './login.ts'
import { Mailbox } from './mailbox.ts'
import { handleLinkCode } from './pairing-code.ts'
import { companionOf, type Companion, type Phone } from './phone.ts'
import { handleQuery } from './queries.ts'
import { handleAck, handleReceipt } from './receipts.ts'
import { answerWhileRegistering, Registrations } from './registration.ts'
import { handleMessage } from './relay.ts'
import { SenderKeys } from './sender-keys.ts'
import { SignalPhone } from './signal-phone.ts'
import { childNamed, stanza } from './stanza.ts'
import type { Behaviour, World } from './world.ts'

/** One try of a client to connect, refused ones included. */
export interface Attempt {
  readonly atMs: number
  /** Absent when the upgrade to WebSocket was refused or never answered. */
  readonly connectionId?: number
  outcome: 'upgrade_refused' | 'upgrade_ignored' | 'accepted' | 'registration' | 'login'
  /** Known for logins. */
  phone?: string
}

/** `<failure reason>` of a client version that is too old. */
const OUTDATED = 405
const ATTEMPTS_KEPT = 10_000

/** The simulated WhatsApp service: takes connections and puts the parts together that talk to them. */
export class Service implements World {
  readonly behaviour: Behaviour
  readonly directory: Directory
  readonly events = new EventLog()
  readonly mailbox = new Mailbox()
  readonly senderKeys = new SenderKeys()
  readonly faults: FaultBoard
  readonly registrations: Registrations
  readonly #certificate: ServerCertificate
  readonly #onChange: () => void
  readonly #connections = new Map<number, Connection>()
  /** The live login of each device, by "number:device". */
  readonly #logins = new Map<string, Connection>()
  readonly #signals = new Map<Phone, SignalPhone>()
  readonly #attempts: Attempt[] = []
  #nextConnectionId = 1

  constructor(behaviour: Behaviour, certificate: ServerCertificate, phones: readonly Phone[], onChange: () => void) {
    this.behaviour = behaviour
    this.directory = new Directory(phones)
    this.#certificate = certificate
    this.#onChange = onChange
    this.faults = new FaultBoard(({ id, fault }, phone) =>
      this.events.emit({ type: 'fault.hit', kind: fault.kind, faultId: id, phone }),
    )
    this.registrations = new Registrations(this)
  }

  connections(): Connection[] {
    return [...this.#connections.values()]
  }

  attempts(): readonly Attempt[] {
    return this.#attempts
  }

  decideUpgrade(): UpgradeAnswer {
    const refusal = this.faults.take('refuse_upgrade')
    if (refusal) {
      this.#note({ atMs: Date.now(), outcome: 'upgrade_refused' })
      this.events.emit({ type: 'connection.refused', status: refusal.status })
      return { action: 'refuse', status: refusal.status }
    }
    if (this.faults.take('never_upgrade')) {
      this.#note({ atMs: Date.now(), outcome: 'upgrade_ignored' })
      return { action: 'ignore' }
    }
    return { action: 'accept' }
  }

  onConnection(socket: WebSocket): void {
    const connection = new Connection(this.#nextConnectionId++, socket, this.#certificate, {
      planHandshake: () => ({
        delayMs: this.faults.take('delay_handshake')?.delayMs ?? 0,
        answers: this.faults.take('no_server_hello') === undefined,
        certificateChain: this.faults.take('bad_certificate')
          ? this.#certificate.chainOfUnknownIssuer
          : this.#certificate.chain,
      }),
      onHello: (who, hello) => this.#onHello(who, hello),
      onNode: (who, node) => this.#onNode(who, node),
      onFailure: (who, error) =>
        this.events.emit({ type: 'connection.failed', connectionId: who.id, message: error.message }),
      onClose: (who) => this.#onClose(who),
    })
    this.#connections.set(connection.id, connection)
    this.#note({ atMs: connection.openedAtMs, connectionId: connection.id, outcome: 'accepted' })
    this.events.emit({ type: 'connection.opened', connectionId: connection.id })
  }

  /** Arms the fault; one for connections strikes those that are in the right moment already, as long as it lasts. */
  inject(fault: Fault): FaultHandle {
    const handle = this.faults.arm(fault)
    for (const connection of this.connections()) {
      const moment = connection.state === 'online' || connection.state === 'registering' ? connection.state : undefined
      const due = moment && this.faults.takeFor(moment, connection.login?.phone)
      if (due) strike(connection, due)
    }
    return handle
  }

  signalOf(phone: Phone): SignalPhone {
    const known = this.#signals.get(phone)
    if (known) return known
    const signal = new SignalPhone(phone, () => this.changed())
    this.#signals.set(phone, signal)
    return signal
  }

  onlineConnection(phone: Phone, companion: Companion): Connection | undefined {
    const connection = this.#logins.get(loginKey(phone.number, companion.deviceId))
    return connection?.state === 'online' ? connection : undefined
  }

  claim(phone: Phone, companion: Companion, connection: Connection): void {
    const key = loginKey(phone.number, companion.deviceId)
    const older = this.#logins.get(key)
    this.#logins.set(key, connection)
    if (!older) return
    const { deviceId } = companion
    this.events.emit({ type: 'device.replaced', connectionId: older.id, phone: phone.number, deviceId })
    older.end(stanza('stream:error', {}, [stanza('conflict', { type: 'replaced' })]))
  }

  unlink(phone: Phone, companion: Companion, by: 'phone' | 'device'): void {
    const { deviceId } = companion
    phone.companions = phone.companions.filter((other) => other !== companion)
    this.changed()
    this.events.emit({ type: 'device.unlinked', phone: phone.number, deviceId, by })
    const connection = this.#logins.get(loginKey(phone.number, deviceId))
    connection?.end(stanza('stream:error', { code: '401' }, [stanza('conflict', { type: 'device_removed' })]))
  }

  changed(): void {
    this.#onChange()
  }

  /** Cuts all connections; resolves when none is at work any more, so that phones change no further. */
  async close(): Promise<void> {
    const connections = this.connections()
    for (const connection of connections) connection.drop()
    await Promise.all(connections.map((connection) => connection.settled()))
  }

  #onHello(connection: Connection, hello: Hello): void {
    const attempt = this.#attempts.findLast(({ connectionId }) => connectionId === connection.id)
    if (this.#isOutdated(hello)) {
      connection.end(stanza('failure', { reason: String(OUTDATED) }))
      return
    }
    if (hello.payload.devicePairingData?.eIdent?.length) {
      if (attempt) attempt.outcome = 'registration'
      this.registrations.open(connection, hello)
      return
    }
    logIn(this, connection, hello)
    if (attempt && connection.login) {
      attempt.outcome = 'login'
      attempt.phone = connection.login.phone
    }
  }

  #isOutdated({ payload }: Hello): boolean {
    const fault = this.faults.list().find(({ fault }) => fault.kind === 'outdated_client')?.fault
    const revision = payload.userAgent?.appVersion?.tertiary ?? 0
    if (fault?.kind !== 'outdated_client' || revision >= fault.belowRevision) return false
    this.faults.take('outdated_client')
    return true
  }

  async #onNode(connection: Connection, node: BinaryNode): Promise<void> {
    if (connection.state === 'registering') {
      this.#onRegisteringNode(connection, node)
      return
    }
    if (!this.#isLinked(connection)) return
    switch (node.tag) {
      case 'iq':
        if (node.attrs['type'] === 'get' || node.attrs['type'] === 'set') await handleQuery(this, connection, node)
        return
      case 'message':
        await handleMessage(this, connection, node)
        return
      case 'receipt':
        await handleReceipt(this, connection, node)
        return
      case 'ack':
        handleAck(this, connection, node)
        return
      default:
        // presence, chatstate, ib and whatever comes: the service needs no answer of its own for them.
        return
    }
  }

  #onRegisteringNode(connection: Connection, node: BinaryNode): void {
    if (this.registrations.takeAnswer(connection, node)) return
    const candidate = this.registrations.find(connection.id)
    if (candidate && childNamed(node, 'link_code_companion_reg')) handleLinkCode(this, candidate, node)
    else if (childNamed(node, 'ping') && this.faults.take('ignore_pings')) return
    else answerWhileRegistering(connection, node)
  }

  #isLinked({ login }: Connection): boolean {
    const phone = login && this.directory.find(login.phone)
    return login !== undefined && phone !== undefined && companionOf(phone, login.deviceId) !== undefined
  }

  #onClose(connection: Connection): void {
    this.#connections.delete(connection.id)
    this.registrations.closed(connection.id)
    const { login } = connection
    if (login) {
      const key = loginKey(login.phone, login.deviceId)
      if (this.#logins.get(key) === connection) this.#logins.delete(key)
    }
    this.events.emit({ type: 'connection.closed', connectionId: connection.id, phone: login?.phone })
  }

  #note(attempt: Attempt): void {
    this.#attempts.push(attempt)
    if (this.#attempts.length > ATTEMPTS_KEPT) this.#attempts.shift()
  }
}

function loginKey(number: string, deviceId: number): string {
  return `${number}:${deviceId}`
}
