import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync, realpathSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf, messageOf } from '../../shared/errors.ts'

/** Where the sessions of a run lie. */
export interface Disk {
  readonly sessionsPath: string
  /** Takes all the room that there is; undefined where the disk can't be filled. */
  readonly fill: (() => void) | undefined
  /** Why it can't be filled. */
  readonly why: string
  /** Gives the room back; may be called twice. */
  free(): void
  /** Takes all of it away; may be called twice. */
  remove(): void
}

/** A session takes some 0.2 MB, and twice that while its log is rewritten; messages add to it until then. */
const MIB_PER_ACCOUNT = 4
const MIB_AT_LEAST = 16

/** A disk of its own, so that it can be really full: that takes a mount, and that takes root. Else a plain directory. */
export function openDisk(accounts: number): Disk {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'whatsapp-chaos-'))
  const sessionsPath = join(directory, 'sessions')
  const why = mount(directory, MIB_AT_LEAST + MIB_PER_ACCOUNT * accounts)
  mkdirSync(sessionsPath)
  const filler = join(directory, 'filler')
  let removed = false
  const free = (): void => {
    try {
      unlinkSync(filler)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }
  return {
    sessionsPath,
    fill: why === '' ? () => fill(filler) : undefined,
    why,
    free,
    remove() {
      if (removed) return
      removed = true
      if (why === '') execFileSync('umount', ['--lazy', directory])
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

/** @returns why it could not be done; '' when it was */
function mount(directory: string, sizeMiB: number): string {
  if (process.getuid?.() !== 0) return 'a disk can be mounted by root alone'
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}M`, 'tmpfs', directory], { stdio: 'pipe' })
    return ''
  } catch (error) {
    return `no disk could be mounted (${messageOf(error).split('\n', 1)[0]})`
  }
}

function fill(path: string): void {
  const file = openSync(path, 'w')
  try {
    for (const sizeBytes of [1_048_576, 4096]) {
      const chunk = Buffer.alloc(sizeBytes)
      try {
        for (;;) writeSync(file, chunk)
      } catch (error) {
        if (errnoOf(error) !== 'ENOSPC') throw error
      }
    }
  } finally {
    closeSync(file)
  }
}
