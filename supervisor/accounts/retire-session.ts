import type { AccountRecord } from './store.ts'
export async function retireSession(_sessionsPath: string, _record: AccountRecord, _nowMs: number): Promise<void> {}
