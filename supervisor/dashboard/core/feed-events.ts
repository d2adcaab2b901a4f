import type { Account, ActivityUpdate, Boot, FleetFacts, LogLine, Snapshot } from '../api-types.ts'

/** What comes over the feed, one object per event. */
export type FeedEvent =
  | { name: 'snapshot'; data: Snapshot }
  | { name: 'account.status'; data: { account: Account } }
  | { name: 'account.removed'; data: { accountId: string } }
  | { name: 'account.qr'; data: { accountId: string; qrCode: string | null; expiresAt: string | null } }
  | { name: 'account.activity'; data: { accounts: ActivityUpdate[] } }
  | { name: 'account.log'; data: LogLine & { accountId: string } }
  | { name: 'fleet.event'; data: FleetFacts }
  | { name: 'boot.progress'; data: Boot | null }

const NAMES: ReadonlySet<string> = new Set<FeedEvent['name']>([
  'snapshot',
  'account.status',
  'account.removed',
  'account.qr',
  'account.activity',
  'account.log',
  'fleet.event',
  'boot.progress',
])

/** Undefined for an event that this page does not know: the service may be newer than a page that was left open. */
export function parseFeedEvent(name: string | undefined, data: string): FeedEvent | undefined {
  if (name === undefined || !NAMES.has(name)) return undefined
  // Our own service's words, checked against their schemas before they were sent.
  return { name, data: JSON.parse(data) as unknown } as FeedEvent
}
