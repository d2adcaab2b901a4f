import type { Connection } from './connection.ts'
import type { Directory } from './directory.ts'
import type { EventLog } from './events.ts'
import type { FaultBoard } from './faults.ts'
import type { Mailbox } from './mailbox.ts'
import type { Companion, Phone } from './phone.ts'
import type { SenderKeys } from './sender-keys.ts'
import type { SignalPhone } from './signal-phone.ts'

/** How the simulated service behaves when no fault is armed. */
export interface Behaviour {
  /** What the prekey count query answers: a number, or 'real' for what is left. */
  readonly reportedPreKeys: number | 'real'
  /** How many refs, hence QRs, a registration gets. */
  readonly qrRefs: number
  /** What a newly linked device gets of the past. */
  readonly history: { readonly chats: number; readonly messagesPerChat: number }
  /** Numbers that are not on WhatsApp: lookups of them say so. */
  readonly notOnWhatsApp: ReadonlySet<string>
  /** Where media are uploaded, HOST:PORT; undefined: nowhere. */
  readonly mediaHost: () => string | undefined
}

/** What the parts of the simulator share. */
export interface World {
  readonly behaviour: Behaviour
  readonly directory: Directory
  readonly faults: FaultBoard
  readonly events: EventLog
  readonly mailbox: Mailbox
  readonly senderKeys: SenderKeys
  /** The Signal side of a phone, the same object for the same phone. */
  signalOf(phone: Phone): SignalPhone
  /** The live login of a device. */
  onlineConnection(phone: Phone, companion: Companion): Connection | undefined
  /** Makes the connection the live login of the device; an older one is told that it was replaced, and closed. */
  claim(phone: Phone, companion: Companion, connection: Connection): void
  /** Forgets the device; its connection, if any, is told so and closed. */
  unlink(phone: Phone, companion: Companion, by: 'phone' | 'device'): void
  /** Says that phones changed, so that the state is saved soon. */
  changed(): void
}
