import pLimit from 'p-limit'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { readQr } from '../../fixtures/qr-reader.ts'
import type { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import type { SimulatorProcess } from './simulator-process.ts'

const PAIR_AT_ONCE = 4
export const PAIR_DEADLINE_MS = 180_000

/** Pairs so many accounts, and waits until all of them are connected. Seconds that it took. */
export async function pairFleet(service: SupervisorProcess, simulator: SimulatorProcess, accounts: number) {
  const startedMs = performance.now()
  const limit = pLimit(PAIR_AT_ONCE)
  await Promise.all(testPhones(accounts).map((phone) => limit(() => pair(service, simulator, phone))))
  await service.connected(accounts, PAIR_DEADLINE_MS)
  return Math.round((performance.now() - startedMs) / 1000)
}

async function pair(service: SupervisorProcess, simulator: SimulatorProcess, phone: string): Promise<void> {
  const { accountId, qrCode } = await service.add(phone)
  const picture = qrCode ?? (await service.account(accountId, (account) => account.qrCode !== undefined)).qrCode ?? ''
  await simulator.scan(readQr(picture), phone)
  // The next of this lane begins when this one is up: four pairings at a time, however many accounts.
  await service.account(accountId, ({ status }) => status === 'connected', PAIR_DEADLINE_MS)
}
