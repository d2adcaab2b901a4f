import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '../shared/errors.ts'

/** A secret has some dozens of characters; a file of this size is another file. */
const MOST_BYTES = 4096

/** The text of a small file, or what is wrong with it. */
export function readSmallFile(path: string): { text?: string; problem?: string } {
  try {
    const { size } = statSync(path)
    return size > MOST_BYTES ? { problem: `it has ${size} bytes` } : { text: readFileSync(path, 'utf8') }
  } catch (error) {
    return { problem: errnoOf(error) ?? 'error' }
  }
}

/**
 * A secret that systemd's LoadCredential has put where this service alone can read it. Undefined where there is none, or
 * an empty one: a unit names all that there can be.
 * @param directory $CREDENTIALS_DIRECTORY
 */
export function readCredential(directory: string | undefined, name: string, errors: string[]): string | undefined {
  if (directory === undefined) return undefined
  const path = join(directory, name)
  const { text, problem } = readSmallFile(path)
  if (text !== undefined) return text.trim() || undefined
  if (problem !== 'ENOENT') errors.push(`The credential ${name} could not be read from ${path} (${problem}).`)
  return undefined
}

/** The path of a credential that is handed on as a file; undefined where there is none, or an empty one. */
export function credentialPath(directory: string | undefined, name: string): string | undefined {
  if (directory === undefined) return undefined
  const path = join(directory, name)
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0
  return size > 0 ? path : undefined
}
