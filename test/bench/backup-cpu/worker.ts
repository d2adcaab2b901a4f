/**
 * What a supervisor hears of a worker, without the worker: it is connected at once, beats, and gives the session that lies
 * in the sessions' directory. SIGUSR2: from then on a message a second comes, as from a real one. A real one costs 20 MB and
 * 4 ms a message, which is not what is measured, and leaves nothing of two cores at 200 accounts.
 */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SESSION_FILE } from './session-file.ts'
import { parseToWorker, type FromWorker } from '../../../shared/ipc.ts'

const send = (message: FromWorker): void => void process.send?.(message)
const stream = randomUUID()
let revision = 1
let data = ''

function beat(): void {
  const { rss } = process.memoryUsage()
  const nowMs = Date.now()
  const activity = { lastFrameAtMs: nowMs, lastEventAtMs: nowMs, lastMessageInAtMs: null, lastAckedOutAtMs: null }
  const counts = { messagesIn: 0, messagesOut: 0, decryptFailures: 0 }
  send({ type: 'heartbeat', rssBytes: rss, loopDelayMs: 1, cpuMs: process.cpuUsage().user / 1000, activity, counts })
}

function receive(): void {
  revision += 3
  send({ type: 'session_changed', revision, creds: false, paired: false })
  send({ type: 'messages', stream, messages: [{ sequence: revision, id: randomUUID(), atMs: Date.now() }] })
}

process.on('disconnect', () => process.exit(0))
process.on('SIGUSR2', () => {
  setTimeout(() => setInterval(receive, 1000), Math.random() * 1000)
})
process.on('message', (raw) => {
  const message = parseToWorker(raw)
  switch (message?.type) {
    case 'start':
      setInterval(beat, message.heartbeatIntervalMs)
      void readFile(join(message.sessionsPath, SESSION_FILE), 'utf8').then((text) => {
        data = text
        send({ type: 'permit_request', firstLogin: false })
      })
      break
    case 'permit':
      send({ type: 'permit_result', result: 'opened' })
      send({ type: 'connection', status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null })
      send({ type: 'session_changed', revision, creds: true, paired: false })
      break
    case 'snapshot_request':
      send({ type: 'snapshot', requestId: message.requestId, revision, linked: true, data })
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
