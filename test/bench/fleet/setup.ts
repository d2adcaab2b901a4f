/** Something that keeps accounts connected, as the benches see it: processes, and a stream of what happens. */
export interface Setup {
  readonly name: SetupName
  /** Starts every process, with all accounts that were paired before. */
  start(): Promise<void>
  /** Pairs one more account with its phone; resolves when it is connected. */
  pair(phone: string): Promise<void>
  /** Adds one more account, and resolves when it has a QR code to be scanned; nobody scans it. */
  firstQr(phone: string): Promise<void>
  /** How many are connected now. */
  connected(): number
  /** The account's process, and that of the parent where there is another. */
  pids(): { parent: number | undefined; workers: number[] }
  /** The process that has the account of this phone. */
  pidOf(phone: string): number
  /** Message id to when it came out, epoch ms. */
  readonly received: Map<string, number>
  /** When each phone's account was last seen to connect, epoch ms. */
  readonly connectedAtMs: Map<string, number>
  /** CPU seconds of the account's process when it was seen to connect. */
  readonly connectedCpuS: Map<string, number>
  /** SIGTERM; resolves when all is over. */
  stop(): Promise<void>
}

export const SETUPS = {
  bundled: 'this service as `npm start` runs it',
  unbundled: 'this service with workers of the compiled files, plain (WORKER_BUNDLE=off)',
  'one-process': "one Node process with a plain Baileys socket and Baileys' own file store for each account",
  'process-each': 'a plain Baileys process for each account under PM2',
} as const

export type SetupName = keyof typeof SETUPS
