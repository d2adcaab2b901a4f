/** What a run left behind, for judge.ts: plain data. */
export interface SentMessage {
  readonly id: string
  readonly phone: string
}

export interface AccountEvidence {
  readonly phone: string
  readonly accountId: string
  /** On purpose, by the plan. */
  readonly unlinked: boolean
  /** At the end of the calm. */
  readonly status: string
  readonly reason: string | null
  /** Digest of what makes the session this device's own; null where creds.json could not be read. */
  readonly identityBefore: string | null
  readonly identityAfter: string | null
  /** Names of its sessions in .set-aside. */
  readonly setAside: readonly string[]
  /** After the stop: null when every checksum holds, else what is wrong. */
  readonly damage: string | null
}

export interface ReceivedLine {
  readonly accountId: string
  readonly stream: string
  readonly sequence: number
  readonly messageId: string
}

export interface MemorySample {
  readonly role: 'supervisor' | 'worker'
  readonly pid: number
  /** Since the process was first seen. */
  readonly ageMs: number
  readonly ussKiB: number
}

export interface LogEvidence {
  readonly lines: number
  readonly crashes: readonly string[]
  readonly bugs: readonly string[]
  readonly stackTraces: readonly string[]
}

export interface Evidence {
  readonly accounts: readonly AccountEvidence[]
  /** From the last fault's end until all was well; null when it never was. */
  readonly calmAfterMs: number | null
  readonly calmLimitMs: number
  readonly sent: readonly SentMessage[]
  /** Ids of messages that a client confirmed, retry receipts apart. */
  readonly receipted: ReadonlySet<string>
  readonly received: readonly ReceivedLine[]
  readonly exitCode: number | null
  /** Process ids and accounts. */
  readonly processesLeft: readonly string[]
  readonly memory: readonly MemorySample[]
  readonly log: LogEvidence
  /** What the run itself could not do: a start of the service, an order, a message. */
  readonly troubles: readonly string[]
}
