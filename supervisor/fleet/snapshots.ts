import type { Clock } from '../../shared/clock.ts'
import type { FromWorker, ToWorker } from '../../shared/ipc.ts'
import type { SessionWatch } from './session-watch.ts'

/** A session as one log file: a secret. */
export interface SessionSnapshot {
  revision: number
  bytes: Buffer
}

/** `not_linked`: the worker has its session open, and there is nothing in it to keep. Null: no answer, or no session. */
export type SnapshotAnswer = SessionSnapshot | 'not_linked' | null

type LastSnapshot = Extract<ToWorker, { type: 'stop' }>['lastSnapshot']

interface OpenRequest {
  accountId: string
  settle: (answer: SnapshotAnswer) => void
}

/**
 * Sessions that were asked of workers and have not come yet. A request ends with its answer, with the end of its worker,
 * or after its deadline; a late answer is nobody's.
 */
export class Snapshots {
  readonly #clock: Clock
  readonly #open = new Map<number, OpenRequest>()
  #lastId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Never rejects. */
  request(accountId: string, deadlineMs: number, send: (requestId: number) => void): Promise<SnapshotAnswer> {
    const requestId = ++this.#lastId
    return new Promise((resolve) => {
      const settle = (answer: SnapshotAnswer): void => {
        timer.cancel()
        this.#open.delete(requestId)
        resolve(answer)
      }
      const timer = this.#clock.setTimer(deadlineMs, () => settle(null))
      this.#open.set(requestId, { accountId, settle })
      send(requestId)
    })
  }

  /** Asks a worker to end, and for its session as it is at last where `watch` wants it. */
  atStop(
    accountId: string,
    watch: SessionWatch | null,
    deadlineMs: number,
    stop: (lastSnapshot: LastSnapshot) => void,
  ): void {
    const wanted = watch?.lastWanted(accountId) ?? null
    if (watch === null || wanted === null) return stop(null)
    const { savedRevision } = wanted
    void this.request(accountId, deadlineMs, (requestId) => stop({ requestId, savedRevision })).then((answer) => {
      if (answer !== null && answer !== 'not_linked') watch.left(accountId, answer)
    })
  }

  answer(accountId: string, message: Extract<FromWorker, { type: 'snapshot' }>): void {
    const { requestId, revision, linked, data } = message
    const request = this.#open.get(requestId)
    if (request?.accountId !== accountId) return
    if (data === null) request.settle(linked ? null : 'not_linked')
    else request.settle({ revision, bytes: Buffer.from(data, 'base64') })
  }

  /** The account's worker is gone, and its answers with it. */
  giveUp(accountId: string): void {
    for (const request of [...this.#open.values()]) if (request.accountId === accountId) request.settle(null)
  }
}
