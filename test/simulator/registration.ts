import { randomBytes } from 'node:crypto'
import { S_WHATSAPP_NET, type BinaryNode, type proto } from '@whiskeysockets/baileys'
import type { Connection, Hello } from './connection.ts'
import { isCountersigned, signDeviceIdentity } from './device-identity.ts'
import { SimulatorError } from './errors.ts'
import { strike } from './fault-actions.ts'
import { makeMessageId } from './message-id.ts'
import { CLIENT_GONE, type PairingCodeRequest } from './pairing-code.ts'
import { lidJid, pnJid, type Companion, type Phone } from './phone.ts'
import { bytesOf, childNamed, iqResult, stanza, unixSeconds } from './stanza.ts'
import type { World } from './world.ts'

/** A connection that wants to be linked to some phone. */
export interface Candidate {
  readonly connection: Connection
  readonly clientKey: Buffer
  readonly device: DeviceKeys
  readonly refs: readonly string[]
  /** Set once the client has asked for a pairing code. */
  codeRequest: PairingCodeRequest | undefined
  /** Set from pair-success on: what to do with the client's answer. */
  awaited: AwaitedAnswer | undefined
}

interface AwaitedAnswer {
  readonly queryId: string
  resolve(answer: Buffer): void
  reject(error: Error): void
}

interface DeviceKeys {
  readonly identityKey: Buffer
  readonly registrationId: number
  readonly signedPreKey: Companion['signedPreKey']
}

export interface LinkedDevice {
  readonly phone: string
  readonly jid: string
  readonly deviceId: number
}

/** Baileys writes a device id as one byte, and takes 99 for a hosted device. */
const DEVICE_IDS = 255
const HOSTED_DEVICE_ID = 99
/** A client that has not answered pair-success by then never will. */
const ANSWER_TIMEOUT_MS = 60_000

/** Links devices: offers refs for QRs to every registering connection, and carries out the scan. */
export class Registrations {
  readonly #world: World
  readonly #candidates = new Map<number, Candidate>()

  constructor(world: World) {
    this.#world = world
  }

  /** A connection wants to be linked. Throws when its payload lacks a key. */
  open(connection: Connection, { clientKey, payload }: Hello): void {
    const { faults, behaviour, events } = this.#world
    connection.state = 'registering'
    const refs = Array.from({ length: behaviour.qrRefs }, () => `2@${randomBytes(48).toString('base64url')}`)
    const device = readDeviceKeys(payload.devicePairingData)
    this.#candidates.set(connection.id, {
      connection,
      clientKey,
      device,
      refs,
      codeRequest: undefined,
      awaited: undefined,
    })
    connection.send(
      stanza('iq', { from: S_WHATSAPP_NET, type: 'set', id: makeMessageId() }, [
        stanza(
          'pair-device',
          {},
          refs.map((ref) => stanza('ref', {}, Buffer.from(ref))),
        ),
      ]),
    )
    events.emit({ type: 'qr.offered', connectionId: connection.id })
    const fault = faults.takeFor('registering')
    if (fault) strike(connection, fault)
  }

  find(connectionId: number): Candidate | undefined {
    return this.#candidates.get(connectionId)
  }

  all(): Candidate[] {
    return [...this.#candidates.values()]
  }

  /** The connection is gone; a pairing in progress fails. */
  closed(connectionId: number): void {
    const candidate = this.#candidates.get(connectionId)
    this.#candidates.delete(connectionId)
    const gone = new SimulatorError('pairing_failed', CLIENT_GONE)
    candidate?.awaited?.reject(gone)
    candidate?.codeRequest?.awaitedFinish?.reject(gone)
  }

  /** A stanza of a registering client; returns whether it was the answer to pair-success. */
  takeAnswer(connection: Connection, node: BinaryNode): boolean {
    const awaited = this.#candidates.get(connection.id)?.awaited
    if (!awaited || node.tag !== 'iq' || node.attrs['id'] !== awaited.queryId) return false
    const answer = bytesOf(childNamed(childNamed(node, 'pair-device-sign'), 'device-identity'))
    if (answer) awaited.resolve(answer)
    else awaited.reject(new SimulatorError('pairing_failed', 'the client answered pair-success without a signature'))
    return true
  }

  /** Finds who shows this QR. Throws `unknown_qr`, or `pairing_failed` when the keys in it are not the client's. */
  findByQr(qrText: string): { readonly candidate: Candidate; readonly advSecret: Buffer } {
    const qr = parseQr(qrText)
    const candidate = this.all().find(({ refs }) => refs.includes(qr.ref))
    if (!candidate) {
      throw new SimulatorError(
        'unknown_qr',
        `no open connection offers a QR with the ref ${qr.ref.slice(0, 8)}...: it expired, was used, or is of another simulator`,
      )
    }
    if (!qr.noiseKey.equals(candidate.clientKey) || !qr.identityKey.equals(candidate.device.identityKey)) {
      throw new SimulatorError('pairing_failed', 'the keys in the QR are not those of the connection that shows it')
    }
    return { candidate, advSecret: qr.advSecret }
  }

  /**
   * Links the candidate to the phone: pair-success, the client's signature, then "restart" (515) and the end of the connection.
   * Resolves once the signature was verified. Throws `pairing_failed`.
   */
  async link(candidate: Candidate, phone: Phone, advSecret: Buffer): Promise<LinkedDevice> {
    if (candidate.connection.state === 'closed') throw new SimulatorError('pairing_failed', CLIENT_GONE)
    if (candidate.awaited) throw new SimulatorError('pairing_failed', 'this device is being linked already')
    const { device, connection } = candidate
    const world = this.#world
    if (world.faults.take('require_passkey', phone.number)) {
      connection.send(
        stanza('notification', { from: S_WHATSAPP_NET, type: 'passkey_prologue_request', id: makeMessageId() }, [
          stanza('passkey_prologue_request', {}, Buffer.from('{}')),
        ]),
      )
      throw new SimulatorError('pairing_failed', `${phone.number} waits for its passkey at the new device`)
    }
    const deviceId = takeDeviceId(phone)
    const keyIndex = phone.nextKeyIndex++
    const identity = world.signalOf(phone).identity
    const secret = world.faults.take('wrong_pair_hmac', phone.number) ? randomBytes(32) : advSecret
    const signed = signDeviceIdentity(identity, { identityKey: device.identityKey, keyIndex, advSecret: secret })

    const answer = await this.#exchange(candidate, phone, deviceId, signed.sealed)
    if (!isCountersigned(answer, signed.details, identity.publicKey, device.identityKey)) {
      connection.drop()
      throw new SimulatorError('pairing_failed', "the device's signature does not verify with its identity key")
    }
    phone.companions.push({
      ...device,
      deviceId,
      keyIndex,
      noiseKey: candidate.clientKey,
      preKeys: [],
      historySent: false,
      queue: [],
    })
    this.#candidates.delete(connection.id)
    world.changed()
    const jid = pnJid(phone, deviceId)
    world.events.emit({ type: 'device.paired', phone: phone.number, deviceId, jid })
    connection.end(stanza('stream:error', { code: '515' }))
    return { phone: phone.number, jid, deviceId }
  }

  async #exchange(candidate: Candidate, phone: Phone, deviceId: number, sealed: Buffer): Promise<Buffer> {
    const queryId = makeMessageId()
    let timer: NodeJS.Timeout | undefined
    const answer = new Promise<Buffer>((resolve, reject) => {
      candidate.awaited = { queryId, resolve, reject }
      const late = new SimulatorError(
        'pairing_failed',
        `the client did not answer pair-success in ${ANSWER_TIMEOUT_MS} ms`,
      )
      timer = setTimeout(() => reject(late), ANSWER_TIMEOUT_MS)
    })
    candidate.connection.send(
      stanza('iq', { from: S_WHATSAPP_NET, type: 'set', id: queryId, t: unixSeconds() }, [
        stanza('pair-success', {}, [
          stanza('device-identity', {}, sealed),
          stanza('device', { jid: pnJid(phone, deviceId), lid: lidJid(phone, deviceId) }),
          stanza('platform', { name: 'android' }),
        ]),
      ]),
    )
    try {
      return await answer
    } finally {
      clearTimeout(timer)
      candidate.awaited = undefined
    }
  }
}

/** Answers what a client asks while it shows its QR. */
export function answerWhileRegistering(connection: Connection, node: BinaryNode): void {
  if (node.tag === 'iq' && (node.attrs['type'] === 'get' || node.attrs['type'] === 'set'))
    connection.send(iqResult(node))
}

interface ParsedQr {
  readonly ref: string
  readonly noiseKey: Buffer
  readonly identityKey: Buffer
  readonly advSecret: Buffer
}

/** `[URL#]ref,noise key,identity key,secret[,platform]`; the ref itself may hold commas. Throws `bad_request`. */
function parseQr(text: string): ParsedQr {
  const fields = text
    .trim()
    .slice(text.indexOf('#') + 1)
    .split(',')
  if (/^\d{1,2}$/.test(fields.at(-1) ?? '')) fields.pop()
  const [noiseKey, identityKey, advSecret] = fields.splice(-3).map((field) => Buffer.from(field, 'base64'))
  if (fields.length === 0 || noiseKey?.length !== 32 || identityKey?.length !== 32 || advSecret?.length !== 32) {
    throw new SimulatorError(
      'bad_request',
      'this is no QR text: wanted "ref,noiseKey,identityKey,secret" with three base64 keys of 32 bytes',
    )
  }
  return { ref: fields.join(','), noiseKey, identityKey, advSecret }
}

function readDeviceKeys(data: proto.ClientPayload.IDevicePairingRegistrationData | null | undefined): DeviceKeys {
  const { eIdent, eRegid, eSkeyId, eSkeyVal, eSkeySig } = data ?? {}
  if (eIdent?.length !== 32 || eRegid?.length !== 4 || eSkeyId?.length !== 3 || !eSkeyVal || !eSkeySig) {
    throw new Error('a registration needs an identity key, a registration id and a signed prekey')
  }
  return {
    identityKey: Buffer.from(eIdent),
    registrationId: Buffer.from(eRegid).readUInt32BE(),
    signedPreKey: {
      id: Buffer.from(eSkeyId).readUIntBE(0, 3),
      key: Buffer.from(eSkeyVal),
      signature: Buffer.from(eSkeySig),
    },
  }
}

function takeDeviceId(phone: Phone): number {
  for (let tries = 0; tries < DEVICE_IDS; tries++) {
    const deviceId = phone.nextDeviceId
    phone.nextDeviceId = (deviceId % DEVICE_IDS) + 1
    const taken = phone.companions.some((companion) => companion.deviceId === deviceId)
    if (deviceId !== HOSTED_DEVICE_ID && !taken) return deviceId
  }
  throw new SimulatorError(
    'pairing_failed',
    `${phone.number} has ${phone.companions.length} linked devices, no id is left`,
  )
}
