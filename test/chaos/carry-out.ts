import { setTimeout as pause } from 'node:timers/promises'
import { errnoOf } from '../../shared/errors.ts'
import type { Simulator } from '../simulator/simulator.ts'
import type { Action } from './actions.ts'
import type { ChaosService } from './chaos-service.ts'
import { workersOf } from './processes.ts'
import type { Disk } from './small-disk.ts'
import type { Traffic } from './traffic.ts'

/** What an action can lay hands on. */
export interface Field {
  readonly simulator: Simulator
  readonly service: ChaosService
  readonly disk: Disk
  readonly traffic: Traffic
  /** By phone. */
  readonly accountIds: ReadonlyMap<string, string>
}

/**
 * Does one action and takes back what has an end; resolves when that is done, with what there is to say of it. Rejects
 * when the service did not take an order.
 */
export async function carryOut({ phone, act }: Action, field: Field): Promise<string> {
  const { simulator, service, disk, traffic } = field
  const directory = disk.sessionsPath
  const accountId = (phone !== null && field.accountIds.get(phone)) || ''
  switch (act.do) {
    case 'inject': {
      const handle = simulator.inject(act.fault)
      if (act.cut && phone !== null) simulator.dropAll(phone)
      if (act.forMs !== null) {
        await pause(act.forMs)
        handle.clear()
      }
      return ''
    }
    case 'unlink':
      traffic.leave(phone ?? '')
      await simulator.unlink(phone ?? '')
      return ''
    case 'kill_worker':
      return signalWorkers(accountId, directory, 'SIGKILL').length === 0 ? 'there was no process' : ''
    case 'stop_worker': {
      const pids = signalWorkers(accountId, directory, 'SIGSTOP')
      await pause(act.forMs)
      // By account and not by number: it may have been killed as hung, and its number be another's by now.
      const left = workersOf(new Set([accountId]), directory).filter(({ pid }) => pids.includes(pid))
      for (const { pid } of left) signal(pid, 'SIGCONT')
      return pids.length === 0 ? 'there was no process' : left.length === 0 ? 'it was killed meanwhile' : ''
    }
    case 'pause_account':
      await service.ask(accountId, 'pause')
      await pause(act.forMs)
      await service.ask(accountId, 'resume')
      return ''
    case 'restart_account':
      await service.ask(accountId, 'restart')
      return ''
    case 'drop_all':
      return `${simulator.dropAll()} connections`
    case 'stop_listening':
      await simulator.stopListening()
      simulator.dropAll()
      await pause(act.forMs)
      await simulator.listen()
      return ''
    case 'freeze_server': {
      const faults = [
        simulator.inject({ kind: 'freeze', times: 'until_cleared' }),
        simulator.inject({ kind: 'never_upgrade', times: 'until_cleared' }),
      ]
      await pause(act.forMs)
      for (const fault of faults) fault.clear()
      return ''
    }
    case 'kill_supervisor':
      await service.bounce('SIGKILL', act.forMs)
      return ''
    case 'restart_service':
      return `it ended with ${await service.bounce('SIGTERM', 0)}`
    case 'fill_disk':
      if (disk.fill === undefined) return `left out: ${disk.why}`
      disk.fill()
      await pause(act.forMs)
      disk.free()
      return ''
    default:
      return act satisfies never
  }
}

/** @returns the processes that got it */
function signalWorkers(accountId: string, directory: string, name: NodeJS.Signals): number[] {
  return workersOf(new Set([accountId]), directory).flatMap(({ pid }) => (signal(pid, name) ? [pid] : []))
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name)
  } catch (error) {
    if (errnoOf(error) === 'ESRCH') return false
    throw error
  }
}
