import type { FromWorker } from '../../shared/ipc.ts'

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
