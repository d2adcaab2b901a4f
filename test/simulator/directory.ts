import { randomInt } from 'node:crypto'
import { jidDecode } from '@whiskeysockets/baileys'
import { SimulatorError } from './errors.ts'
import { LID_SERVER, PN_SERVER, type Phone } from './phone.ts'

/** E.164 allows up to 15 digits; shorter than 5 is no mobile number anywhere. */
const NUMBER = /^[1-9]\d{4,14}$/

export interface DeviceAddress {
  readonly phone: Phone
  readonly deviceId: number
}

/** All phones, found by number or LID. A number that is asked for exists from then on. */
export class Directory {
  readonly #byNumber = new Map<string, Phone>()
  readonly #byLid = new Map<string, Phone>()

  constructor(phones: readonly Phone[] = []) {
    for (const phone of phones) this.#add(phone)
  }

  all(): Phone[] {
    return [...this.#byNumber.values()]
  }

  find(number: string): Phone | undefined {
    return this.#byNumber.get(number)
  }

  /** The phone with this number, made when it is new. Throws `bad_request` when it is no number. */
  get(number: string): Phone {
    if (!NUMBER.test(number)) {
      throw new SimulatorError(
        'bad_request',
        `"${number}" is no phone number: wanted 5 to 15 digits without a plus sign`,
      )
    }
    return this.#byNumber.get(number) ?? this.#add(makePhone(number, this.#freeLid()))
  }

  /** A number nobody has: +999 is assigned to no country, so it can't be meant as somebody's. */
  pickNumber(): string {
    for (;;) {
      const number = `999${randomInt(1e8, 1e9)}`
      if (!this.#byNumber.has(number)) return number
    }
  }

  /** The device behind a jid in either form; undefined for groups, servers and LIDs that were never given out. */
  findByJid(jid: string | undefined): DeviceAddress | undefined {
    const decoded = jid === undefined ? undefined : jidDecode(jid)
    if (!decoded) return undefined
    const deviceId = decoded.device ?? 0
    if (decoded.server === LID_SERVER) {
      const phone = this.#byLid.get(decoded.user)
      return phone && { phone, deviceId }
    }
    if (decoded.server !== PN_SERVER || !NUMBER.test(decoded.user)) return undefined
    return { phone: this.get(decoded.user), deviceId }
  }

  #add(phone: Phone): Phone {
    this.#byNumber.set(phone.number, phone)
    this.#byLid.set(phone.lid, phone)
    return phone
  }

  /** LIDs look like numbers of 15 digits. */
  #freeLid(): string {
    for (;;) {
      const lid = `1${randomInt(1e6, 1e7)}${randomInt(1e6, 1e7)}`
      if (!this.#byLid.has(lid)) return lid
    }
  }
}

function makePhone(number: string, lid: string): Phone {
  return {
    number,
    lid,
    name: `Phone ${number.slice(-4)}`,
    companions: [],
    nextDeviceId: 1,
    nextKeyIndex: 1,
    appState: {},
  }
}
