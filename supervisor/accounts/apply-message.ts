import type { Activity, Counts, FromWorker } from '../../shared/ipc.ts'
import { newMessages } from './received.ts'
import type { Account, AccountProcess } from './registry.ts'

/**
 * What a worker's message changes about its account, as data. What it makes the fleet do (permits, heartbeats of the
 * lifecycle, saving a phone that was not known) is the fleet's.
 * @param nowMs epoch ms
 * @param monotonicMs the same moment, for measuring
 */
export function applyMessage(
  account: Account,
  message: FromWorker,
  nowMs: number,
  monotonicMs: number,
): Partial<Account> {
  switch (message.type) {
    case 'heartbeat': {
      if (account.process === null) return {}
      const { rssBytes, loopDelayMs, counts } = message
      const activity = latest(account.activity, message.activity)
      const cpu = measured(account.process, message.cpuMs, monotonicMs)
      return {
        process: { ...account.process, rssBytes, loopDelayMs, counted: counts, ...cpu },
        activity,
        counts: added(account.counts, account.process.counted, counts),
      }
    }
    case 'connection': {
      const { status, reason, code, attempt, nextTryAtMs } = message
      const connected = status === 'connected'
      return {
        connection: { status, reason, code, attempt, nextTryAtMs },
        fault: null,
        // The session that it was told of is none any more.
        ...(status === 'needs_qr' ? { recovery: null } : {}),
        lastEventAtMs: nowMs,
        reconnectCount: account.reconnectCount + (connected && account.hasConnected ? 1 : 0),
        hasConnected: account.hasConnected || connected,
      }
    }
    case 'qr': {
      const { text, expiresAtMs } = message
      const qr = text === null || expiresAtMs === null ? null : { text, expiresAtMs }
      return { qr, lastEventAtMs: nowMs }
    }
    case 'identity': {
      const { record } = account
      // A session that was found without a record says whose it is.
      return { linkedPhone: message.phone, record: { ...record, phone: record.phone ?? message.phone } }
    }
    case 'recovered':
      return { recovery: message.recovery }
    case 'messages': {
      const last = newMessages(account.received, message).at(-1)
      if (last === undefined) return {}
      const { stream } = message
      return { received: { stream, sequence: last.sequence }, lastMessageAtMs: last.atMs, lastEventAtMs: nowMs }
    }
    case 'fault':
      return { fault: { reason: message.reason, message: message.message } }
    case 'ready':
    case 'code_cache_unused':
    case 'retire_request':
    case 'permit_request':
    case 'permit_result':
    case 'pairing_code':
    case 'set_aside_request':
    case 'version_verdict':
    case 'session_changed':
    case 'snapshot':
    case 'log':
    case 'stopped':
      return {}
    default:
      return message satisfies never
  }
}

/** Half of what is shown is the last heartbeat, the rest those before it: one busy moment does not fill the picture. */
const NEWEST_SHARE = 0.5

function measured(
  { cpu, cpuPercent }: AccountProcess,
  usedMs: number,
  monotonicMs: number,
): Pick<AccountProcess, 'cpu' | 'cpuPercent'> {
  const next = { usedMs, atMonotonicMs: monotonicMs }
  // Between two heartbeats that arrive together there is nothing to measure.
  if (cpu === null || monotonicMs <= cpu.atMonotonicMs) return { cpu: cpu ?? next, cpuPercent }
  const percent = Math.max(0, (100 * (usedMs - cpu.usedMs)) / (monotonicMs - cpu.atMonotonicMs))
  const smooth = cpuPercent === null ? percent : cpuPercent + (percent - cpuPercent) * NEWEST_SHARE
  return { cpu: next, cpuPercent: Math.round(smooth * 10) / 10 }
}

/** A process counts from its own beginning: what it had said before is in the sum. */
function added(sum: Counts, before: Counts, now: Counts): Counts {
  return {
    messagesIn: sum.messagesIn + Math.max(0, now.messagesIn - before.messagesIn),
    messagesOut: sum.messagesOut + Math.max(0, now.messagesOut - before.messagesOut),
    decryptFailures: sum.decryptFailures + Math.max(0, now.decryptFailures - before.decryptFailures),
  }
}

/** A process that is new knows nothing of what its predecessor saw. */
function latest(known: Activity, said: Activity): Activity {
  return {
    lastFrameAtMs: said.lastFrameAtMs ?? known.lastFrameAtMs,
    lastEventAtMs: said.lastEventAtMs ?? known.lastEventAtMs,
    lastMessageInAtMs: said.lastMessageInAtMs ?? known.lastMessageInAtMs,
    lastAckedOutAtMs: said.lastAckedOutAtMs ?? known.lastAckedOutAtMs,
  }
}
