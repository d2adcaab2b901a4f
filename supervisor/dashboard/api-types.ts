import type { Static } from 'typebox'
import type { TokenList } from '../http/schemas/access.ts'
import type { LogLines } from '../http/schemas/accounts.ts'
import type { ActionState, AddedAccounts } from '../http/schemas/bulk.ts'
import type { SetAsideList } from '../http/schemas/commands.ts'
import type { BootProgress, BulkAction, Dashboard, DashboardAccount, FleetState } from '../http/schemas/dashboard.ts'
import type { Pictures, Transitions } from '../http/schemas/history.ts'

/** What the API says, as the page sees it. */
export type Role = Snapshot['role']
export type Status = Account['status']
export type Account = Omit<Static<typeof DashboardAccount>, 'qrCode' | 'qrExpiresAt'>
/** What is known of the fleet beyond its accounts. */
export type FleetFacts = Static<typeof FleetState>
export type Boot = Static<typeof BootProgress>
export type Snapshot = Omit<Static<typeof Dashboard>, 'accounts'> & { accounts: Account[] }
export type ActionName = Static<typeof BulkAction>['action']
export type ActionResult = Static<typeof ActionState>['action']['results'][number]
export type AddResult = Static<typeof AddedAccounts>['results'][number]
export type LogLine = Static<typeof LogLines>['lines'][number]
export type SetAsideSession = Static<typeof SetAsideList>['sessions'][number]
export type Token = Static<typeof TokenList>['tokens'][number]

/** What comes with `account.activity`. */
export interface ActivityUpdate extends Pick<
  Account,
  'accountId' | 'lastEventAt' | 'lastMessageAt' | 'activity' | 'messages' | 'decryptFailures' | 'backup'
> {
  process: Pick<Account['process'], 'rssBytes' | 'cpuPercent' | 'loopDelayMs'>
}

export type FleetHistory = Static<typeof Pictures>
/** A state that began at `from` and lasted until the next segment began. */
export type Segment = FleetHistory['accounts'][number]['segments'][number]
export type Transition = Static<typeof Transitions>['transitions'][number]
/** `not_running`: the service itself was down. */
export type PastStatus = Segment['status']
