import { REASONS } from '../../shared/states.ts'
import type { AccountView, DashboardView } from './client.ts'

/** The service in words and columns. Names come from people: nothing of them moves the terminal's cursor. */
const STATUS_WORDS = {
  connected: 'connected',
  connecting: 'connecting',
  disconnected: 'DISCONNECTED',
  needs_qr: 'NEEDS QR',
} as const
const STATUS_COLOURS = { connected: 32, connecting: 36, disconnected: 31, needs_qr: 33 } as const

/** Printable, one line. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, ' ')
}

export function statusText(
  { accounts, summary, service, storage, firestore, trouble, boot, actions, connectsPaused }: DashboardView,
  nowMs: number,
  colours: boolean,
): string {
  const counts = [
    `${summary.connected} of ${summary.total} connected`,
    summary.connecting > 0 ? `${summary.connecting} connecting` : '',
    summary.needs_qr > 0 ? `${summary.needs_qr} need a QR code` : '',
    summary.disconnected > summary.paused ? `${summary.disconnected - summary.paused} disconnected` : '',
    summary.paused > 0 ? `${summary.paused} paused` : '',
    storage.writable ? '' : 'STORAGE NOT WRITABLE',
    firestore.state === 'degraded' ? 'BACKUPS FAIL' : '',
    `up ${duration(service.uptime * 1000)}`,
    `version ${service.version}`,
  ].filter((part) => part !== '')
  const lines = [counts.join(', ')]
  if (boot !== null) {
    lines.push(`Booting: ${boot.settled} of ${boot.total}, about ${Math.ceil(boot.remainingMs / 1000)} s left`)
  }
  if (trouble !== null) lines.push(plain(trouble.message))
  else if (connectsPaused) lines.push('All connects are paused.')
  for (const { action, done, total, failed } of actions) {
    lines.push(`${action}: ${done} of ${total}${failed > 0 ? `, ${failed} failed` : ''}`)
  }
  if (accounts.length === 0) lines.push('', 'No account yet: whatsapp-backend add NAME PHONE')
  else lines.push('', ...table(accounts, nowMs, colours))
  return lines.join('\n')
}

function table(accounts: readonly AccountView[], nowMs: number, colours: boolean): string[] {
  const head = ['ACCOUNT', 'NAME', 'PHONE', 'STATUS', 'SINCE', 'LAST MESSAGE', 'MEMORY', 'RESTARTS']
  const rows = accounts.map((account) => [
    account.accountId,
    plain(account.name).slice(0, 30),
    account.phone ?? '-',
    account.desired === 'paused' ? 'paused' : STATUS_WORDS[account.status],
    duration(nowMs - Date.parse(account.statusSince)),
    account.lastMessageAt === null ? '-' : `${duration(nowMs - Date.parse(account.lastMessageAt))} ago`,
    account.process.rssBytes === null ? '-' : `${Math.round(account.process.rssBytes / 1048576)} MiB`,
    String(account.restarts24h),
  ])
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [
    line(head),
    ...rows.flatMap((row, index) => {
      const account = accounts[index]
      const text = line(row)
      if (account === undefined) return [text]
      const colour = account.desired === 'paused' ? 90 : STATUS_COLOURS[account.status]
      const shown = colours ? text.replace(row[3] ?? '', (status) => `\u001b[${colour}m${status}\u001b[0m`) : text
      const why = reasonText(account, nowMs)
      return why === '' ? [shown] : [shown, `    ${why}`]
    }),
  ]
}

/** Why an account is not connected, and when it tries again. */
export function reasonText(
  { status, reason, detail, todo, attempt, nextTryAt, desired }: AccountView,
  nowMs: number,
): string {
  if (status === 'connected' || desired === 'paused') return ''
  const why = detail ?? (reason === null ? '' : REASONS[reason])
  const next = nextTryAt === null ? '' : ` Try ${attempt + 1} in ${duration(Date.parse(nextTryAt) - nowMs)}.`
  const what = todo === null ? '' : ` ${todo.message}`
  return plain(why) + plain(what) + next
}

/** In one unit or two: 45 s, 12 min, 3 h 20 min, 5 d 2 h. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Whether every account that shall run is connected. */
export function allIsWell({ accounts, storage }: DashboardView): boolean {
  return storage.writable && accounts.every(({ status, desired }) => status === 'connected' || desired !== 'running')
}
