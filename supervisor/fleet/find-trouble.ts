import type { Registry } from '../accounts/registry.ts'
import { describeTrouble, kindOf, type TroubleKind } from '../core/fleet-trouble.ts'
import type { ClientVersions } from './client-versions.ts'
import type { Gatekeeper } from './gatekeeper.ts'
import type { MassRefusals } from './mass-refusals.ts'
import type { MemoryWatch } from './memory-watch.ts'

/** What is wrong with the whole fleet, as one thing. Times are epoch ms. */
export interface Trouble {
  kind: TroubleKind
  sinceMs: number
  /** How many accounts it concerns. */
  accounts: number
  message: string
  /** When the next account tries; null where none does by itself, or one is trying now. */
  nextProbeAtMs: number | null
}

/** The first that applies: what explains the others comes before them. */
export function findTrouble(
  registry: Registry,
  gate: Gatekeeper,
  versions: ClientVersions,
  refusals: MassRefusals,
  memory: MemoryWatch,
): Trouble | null {
  const { hold, trouble, nextProbeAtMs } = gate
  const { stuck } = versions
  const tell = (kind: TroubleKind, sinceMs: number, accounts: number, nextMs: number | null = null): Trouble => {
    const message = describeTrouble(kind, accounts, stuck?.version ?? null)
    return { kind, sinceMs, accounts, message, nextProbeAtMs: nextMs }
  }
  if (hold !== null) return tell('connects_paused', hold.sinceMs, registry.size)
  if (stuck !== null) {
    const outdated = registry.all().filter(({ connection }) => connection?.reason === 'client_outdated')
    return tell('client_outdated', stuck.sinceMs, outdated.length)
  }
  if (trouble !== null) {
    const reasons = trouble.accountIds.map((accountId) => registry.get(accountId)?.connection?.reason ?? null)
    return tell(kindOf(reasons), trouble.sinceMs, reasons.length, nextProbeAtMs)
  }
  if (refusals.trouble !== null) return tell('mass_refusal', refusals.trouble.sinceMs, refusals.trouble.accounts)
  // Last: it is no reason for a connect to fail, and must not hide one.
  if (memory.trouble !== null) return tell('out_of_memory', memory.trouble.sinceMs, memory.trouble.accounts)
  return null
}
