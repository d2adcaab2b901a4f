import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SimulatorProcess } from '../simulator-process.ts'
import { withCleanup } from '../with-cleanup.ts'
import { OneProcessSetup } from './one-process.ts'
import { Pm2Setup } from './pm2.ts'
import { ServiceSetup } from './service.ts'
import type { Setup, SetupName } from './setup.ts'

/** A setup on a directory and against a simulator of its own; everything is ended and removed when the work is over. */
export async function withSetup<T>(
  name: SetupName,
  work: (setup: Setup, simulator: SimulatorProcess) => Promise<T>,
): Promise<T> {
  return withMade((simulator, directory) => makeSetup(name, simulator, directory), work)
}

/** The same with this service, whose process `onSpawn` gets before it does anything. */
export async function withService<T>(
  onSpawn: (pid: number) => void,
  work: (service: ServiceSetup, simulator: SimulatorProcess) => Promise<T>,
): Promise<T> {
  return withMade((simulator, directory) => new ServiceSetup('bundled', simulator, directory, onSpawn), work)
}

async function withMade<Made extends Setup, T>(
  make: (simulator: SimulatorProcess, directory: string) => Made,
  work: (setup: Made, simulator: SimulatorProcess) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'fleet-bench-'))
  const simulator = await SimulatorProcess.start()
  const setup = make(simulator, directory)
  const end = async (): Promise<void> => {
    await setup.stop().catch(() => undefined)
    await simulator.end()
    await rm(directory, { recursive: true, force: true })
  }
  return withCleanup(end, () => work(setup, simulator))
}

function makeSetup(name: SetupName, simulator: SimulatorProcess, directory: string): Setup {
  switch (name) {
    case 'bundled':
    case 'unbundled':
      return new ServiceSetup(name, simulator, directory)
    case 'one-process':
      return new OneProcessSetup(simulator, directory)
    case 'process-each':
      return new Pm2Setup(simulator, directory)
    default:
      return name satisfies never
  }
}
