import type { FromWorker, ToWorker } from '../../shared/ipc.ts'
import type { Log } from '../../shared/log.ts'

/** How far an account's messages have come here. Numbers mean something within one stream alone. */
export interface Received {
  stream: string
  sequence: number
}

type Messages = Extract<FromWorker, { type: 'messages' }>

/**
 * Those of a batch that have not come before: a worker tells again what it does not know to have arrived. Numbers come
 * in order, so the last one is all there is to remember; a stream that is not known begins anew (a new session).
 */
export function newMessages(received: Received | null, batch: Messages): Messages['messages'] {
  const last = received?.stream === batch.stream ? received.sequence : 0
  return batch.messages.filter(({ sequence }) => sequence > last)
}

/** A line for each that has not come before; at debug level, for whoever follows the stream. */
export function tellReceived(
  { record: { accountId }, received }: { record: { accountId: string }; received: Received | null },
  batch: Messages,
  log: Log,
): void {
  const { stream } = batch
  for (const { sequence, id } of newMessages(received, batch)) {
    log.debug({ event: 'message.received', accountId, stream, sequence, messageId: id }, 'Message')
  }
}

/** What the worker is told, so that the next batch comes. */
export function receiptFor({ stream, messages }: Messages): Extract<ToWorker, { type: 'messages_received' }> {
  return { type: 'messages_received', stream, sequence: messages.at(-1)?.sequence ?? 0 }
}
