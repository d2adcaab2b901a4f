/**
 * The clients of the bench, in a process of their own: streams that note when each event came, and requests for the whole
 * dashboard at a steady pace. What they saw goes to the parent at the end.
 */
import { setTimeout as pause } from 'node:timers/promises'

export interface ClientsOrder {
  url: string
  token: string
  clients: number
  seconds: number
  requestsPerS: number
}

export interface Seen {
  accountId: string
  status: string
  /** Epoch ms; null where the event does not say when it was begun. */
  stampMs: number | null
  atMs: number
}

export interface ClientsReport {
  seen: Seen[]
  requestsMs: number[]
  dashboardBytes: number
  streamBytes: number
  failed: number
}

const report: ClientsReport = { seen: [], requestsMs: [], dashboardBytes: 0, streamBytes: 0, failed: 0 }
let isOver = false

async function stream({ url, token }: ClientsOrder, end: AbortSignal): Promise<void> {
  const response = await fetch(`${url}/api/events`, { headers: { authorization: `Bearer ${token}` }, signal: end })
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response.body ?? []) {
    const atMs = Date.now()
    const bytes = chunk as Uint8Array
    report.streamBytes += bytes.length
    const blocks = (rest + decoder.decode(bytes, { stream: true })).split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      if (!block.includes('event: account.status')) continue
      const { account } = JSON.parse(block.slice(block.indexOf('data: ') + 6)) as {
        account: { accountId: string; status: string; nextTryAt: string | null }
      }
      const stampMs = account.nextTryAt === null ? null : Date.parse(account.nextTryAt)
      report.seen.push({ accountId: account.accountId, status: account.status, stampMs, atMs })
    }
  }
}

async function ask({ url, token, requestsPerS }: ClientsOrder): Promise<void> {
  while (!isOver) {
    const beganMs = performance.now()
    const response = await fetch(`${url}/api/status/dashboard`, { headers: { authorization: `Bearer ${token}` } })
    report.dashboardBytes = (await response.arrayBuffer()).byteLength
    const tookMs = performance.now() - beganMs
    report.requestsMs.push(tookMs)
    await pause(Math.max(0, 1000 / requestsPerS - tookMs))
  }
}

process.once('message', (order: ClientsOrder) => {
  void (async () => {
    const end = new AbortController()
    const streams = Array.from({ length: order.clients }, () =>
      stream(order, end.signal).catch(() => {
        if (!isOver) report.failed++
      }),
    )
    // Snapshots are over by then.
    await pause(2000)
    report.streamBytes = 0
    report.seen = []
    const asking = ask(order)
    await pause(order.seconds * 1000)
    isOver = true
    await asking
    end.abort()
    await Promise.all(streams)
    process.send?.(report, () => process.exit(0))
  })()
})
