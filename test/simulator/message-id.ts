import { randomBytes } from 'node:crypto'

/** 20 hex digits in capitals, as phones make them. */
export function makeMessageId(): string {
  return randomBytes(10).toString('hex').toUpperCase()
}
