/**
 * What a supervisor hears of a worker, without the worker: it is connected, beats, counts messages, and now and then its
 * connection goes and comes. `nextTryAtMs` of that is the moment at which it was said, so that whoever sees it knows how
 * long it took. A real one costs 20 MB, and 200 of them leave nothing of two cores to measure with.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseToWorker, type FromWorker } from '../../../shared/ipc.ts'
import { CHANGE_FILE } from './change-file.ts'

const send = (message: FromWorker): void => void process.send?.(message)
const counts = { messagesIn: 0, messagesOut: 0, decryptFailures: 0 }
/** Between two changes of an account: what the bench wants stands in the sessions' directory. */
let everyMs = 0

function beat(): void {
  const nowMs = Date.now()
  counts.messagesIn += Math.floor(Math.random() * 3)
  const activity = {
    lastFrameAtMs: nowMs,
    lastEventAtMs: nowMs,
    lastMessageInAtMs: counts.messagesIn === 0 ? null : nowMs,
    lastAckedOutAtMs: null,
  }
  const { user, system } = process.cpuUsage()
  const rssBytes = process.memoryUsage.rss() + Math.floor(Math.random() * 4_000_000)
  send({ type: 'heartbeat', rssBytes, loopDelayMs: 1, cpuMs: (user + system) / 1000, activity, counts })
}

/** A connection that is gone is back after this long. */
const DOWN_MS = 300

function change(): void {
  const stamp = () => ({ code: null, attempt: 0, nextTryAtMs: Date.now() })
  send({ type: 'connection', status: 'connecting', reason: 'stale', ...stamp() })
  setTimeout(() => send({ type: 'connection', status: 'connected', reason: null, ...stamp() }), DOWN_MS)
}

process.on('disconnect', () => process.exit(0))
process.on('message', (raw) => {
  const message = parseToWorker(raw)
  switch (message?.type) {
    case 'start':
      everyMs = Number(readFileSync(join(message.sessionsPath, CHANGE_FILE), 'utf8'))
      setTimeout(() => setInterval(beat, message.heartbeatIntervalMs), Math.random() * message.heartbeatIntervalMs)
      send({ type: 'permit_request', firstLogin: false })
      break
    case 'permit':
      send({ type: 'permit_result', result: 'opened' })
      send({ type: 'connection', status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null })
      setTimeout(() => {
        change()
        setInterval(change, everyMs)
      }, Math.random() * everyMs)
      break
    case 'stop':
      send({ type: 'stopped' })
      process.disconnect()
      break
    default:
      break
  }
})
send({ type: 'ready', version: [2, 3000, 1] })
