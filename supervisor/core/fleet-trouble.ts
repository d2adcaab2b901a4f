import type { Reason } from '../../shared/states.ts'

/**
 * What is wrong with the whole fleet, in one place: a failure that many accounts share is one event, not one of each.
 */
export const TROUBLE_KINDS = [
  /** The operator stopped all connects. */
  'connects_paused',
  /** The kernel ended workers because memory ran out. */
  'out_of_memory',
  /** WhatsApp refuses the client version. */
  'client_outdated',
  /** WhatsApp refused several sessions within minutes. */
  'mass_refusal',
  /** Connects end without an answer: the network, a firewall, name resolution. */
  'network',
  /** WhatsApp answers, with errors. */
  'server',
  /** Connects of several accounts fail, in ways that don't have one name. */
  'mixed',
] as const
export type TroubleKind = (typeof TROUBLE_KINDS)[number]

const NETWORK: ReadonlySet<Reason> = new Set<Reason>(['connection_lost', 'connection_closed', 'connect_timeout'])
const SERVER: ReadonlySet<Reason> = new Set<Reason>(['connect_refused', 'server_error', 'refused'])

/** @param reasons those of the accounts whose connects fail now */
export function kindOf(reasons: readonly (Reason | null)[]): TroubleKind {
  if (reasons.length === 0) return 'mixed'
  // More than half: one account may have a trouble of its own meanwhile.
  const isMost = (is: (reason: Reason) => boolean): boolean =>
    reasons.filter((reason) => reason !== null && is(reason)).length * 2 > reasons.length
  if (isMost((reason) => reason === 'client_outdated')) return 'client_outdated'
  if (isMost((reason) => NETWORK.has(reason))) return 'network'
  if (isMost((reason) => SERVER.has(reason))) return 'server'
  return 'mixed'
}

const AFTERWARDS = 'One of them tries every few seconds; when it gets through, the others follow by themselves.'

/** In words for the operator. `accounts` is how many it concerns; `version` the client version, where it is about one. */
export function describeTrouble(kind: TroubleKind, accounts: number, version: string | null): string {
  const many = accounts === 1 ? '1 account' : `${accounts} accounts`
  switch (kind) {
    case 'connects_paused':
      return 'All connects are paused by the operator: nothing that is down comes back before they are resumed.'
    case 'out_of_memory':
      return `This machine has run out of memory: within a quarter of an hour the workers of ${many} were ended by the kernel. Those that had just begun went first, and go on trying, up to ten minutes apart; no account can be added. Pause or remove some, whose memory goes to those that wait, or give the machine more.`
    case 'client_outdated':
      return version === null
        ? `WhatsApp refuses the client version of ${many}: another one is being tried.`
        : `WhatsApp refuses the client version ${version}, and no newer one is known. Update this service, or set WA_VERSION. It is tried again, and a newer one looked up, every ten minutes.`
    case 'mass_refusal':
      return `WhatsApp refused the sessions of ${many} within minutes, which is hardly the work of as many phones. Those sessions stay in their place and are tried again every ten minutes, for as long as several are refused; the first two were set aside and can be put back. Where it was the phones' doing after all, ask for a QR code of each.`
    case 'network':
      return `${many} can not reach WhatsApp: the network, a firewall or the name resolution of this machine. ${AFTERWARDS}`
    case 'server':
      return `WhatsApp answers ${many} with errors of its own. ${AFTERWARDS}`
    case 'mixed':
      return `${many} can not connect. ${AFTERWARDS}`
    default:
      return kind satisfies never
  }
}
