import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** The kernel's names for the same in its two versions of control groups. Sizes in bytes. */
const V2 = {
  root: '/sys/fs/cgroup',
  controllers: '/sys/fs/cgroup/cgroup.subtree_control',
  limit: 'memory.max',
  anonymous: /^anon (\d+)$/m,
  file: /^file (\d+)$/m,
  kernel: { file: 'memory.stat', is: /^kernel (\d+)$/m },
  kills: { file: 'memory.events', is: /^oom_kill (\d+)$/m },
}
const V1: typeof V2 = {
  root: '/sys/fs/cgroup/memory',
  controllers: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  anonymous: /^total_rss (\d+)$/m,
  file: /^total_cache (\d+)$/m,
  kernel: { file: 'memory.kmem.usage_in_bytes', is: /^(\d+)$/m },
  kills: { file: 'memory.oom_control', is: /^oom_kill (\d+)$/m },
}

export interface MemoryUse {
  /** What can't be given back: of the processes, and of the kernel for them (page tables, stacks, sockets). */
  anonymousMib: number
  kernelMib: number
  /** Programs and files, which can be read again. */
  fileMib: number
  /** Processes that the kernel has killed for want of memory. */
  kills: number
}

/** A control group with a limit of its own: processes in it, and what they fork, have a small machine's memory. */
export class MemoryLimit {
  readonly #version: typeof V2
  readonly #path: string

  /** @throws Error with what is missing: root, or a memory controller */
  constructor(limitMib: number) {
    const isV2 = existsSync(V2.controllers) && readFileSync(V2.controllers, 'utf8').split(/\s/).includes('memory')
    this.#version = isV2 ? V2 : V1
    if (process.getuid?.() !== 0 || !existsSync(this.#version.controllers)) {
      throw new Error('A limit of memory needs root and a kernel with the memory controller of control groups.')
    }
    this.#path = join(this.#version.root, `whatsapp-bench-${process.pid}`)
    mkdirSync(this.#path)
    writeFileSync(join(this.#path, this.#version.limit), String(limitMib * 2 ** 20))
  }

  add(pid: number): void {
    writeFileSync(join(this.#path, 'cgroup.procs'), String(pid))
  }

  read(): MemoryUse {
    const { anonymous, file, kernel, kills } = this.#version
    const value = (name: string, is: RegExp): number =>
      Number(is.exec(readFileSync(join(this.#path, name), 'utf8'))?.[1] ?? Number.NaN)
    const mib = (bytes: number): number => Math.round(bytes / 2 ** 20)
    return {
      anonymousMib: mib(value('memory.stat', anonymous)),
      kernelMib: mib(value(kernel.file, kernel.is)),
      fileMib: mib(value('memory.stat', file)),
      kills: value(kills.file, kills.is),
    }
  }

  /** When every process in it has ended. */
  remove(): void {
    rmdirSync(this.#path)
  }
}
