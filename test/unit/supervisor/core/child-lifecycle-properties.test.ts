import fc from 'fast-check'
import t from 'tap'
import { EXIT } from '../../../../shared/exit-codes.ts'
import {
  deadlineOf,
  NEW_CHILD,
  stepChild,
  type Child,
  type ChildEvent,
  type ChildLimits,
} from '../../../../supervisor/core/child-lifecycle.ts'

const LIMITS: ChildLimits = { startDeadlineMs: 60_000, heartbeatDeadlineMs: 30_000, stopDeadlineMs: 10_000 }

/**
 * A model of the shell: processes live from `spawn` until the run lets them end. Whatever comes in whatever order, there
 * is at most one process, a kill has a target, and nothing is waited for without an end.
 */
t.test('whatever happens: one process at a time, each with a deadline, and start leads to a process', async () => {
  const op = fc.record({
    op: fc.constantFrom('start', 'stop', 'again', 'slot', 'ready', 'heartbeat', 'exit', 'late', 'deadline', 'pass'),
    code: fc.constantFrom<number | null>(null, 1, ...Object.values(EXIT).map(({ code }) => code)),
    passMs: fc.integer({ min: 0, max: 70_000 }),
    random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  })
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60, size: 'max' }), (ops) => {
      let current: Child = NEW_CHILD
      let nowMs = 0
      let alive: number | undefined
      let inQueue = false
      const step = (event: ChildEvent): void => {
        const before = current
        const [next, effects] = stepChild(current, event, nowMs, LIMITS)
        current = next
        if (next.generation < before.generation) throw new Error('a generation went back')
        for (const effect of effects) {
          switch (effect.type) {
            case 'enqueue':
              if (inQueue) throw new Error('queued twice')
              inQueue = true
              break
            case 'dequeue':
              if (!inQueue) throw new Error('dequeued what was not queued')
              inQueue = false
              break
            case 'spawn':
              if (alive !== undefined) throw new Error('two processes')
              if (effect.generation !== next.generation || effect.generation <= before.generation) {
                throw new Error('a generation was used twice')
              }
              alive = effect.generation
              break
            case 'ask_to_stop':
            case 'kill':
              if (effect.generation !== alive) throw new Error(`${effect.type} of a process that is not there`)
          }
        }
        const owns = ['starting', 'running', 'stopping'].includes(next.state.name)
        if (owns !== (alive !== undefined)) throw new Error(`${next.state.name}, process ${alive}`)
        if ((next.state.name === 'queued') !== inQueue) throw new Error(`${next.state.name}, in queue: ${inQueue}`)
        if (owns && deadlineOf(next, LIMITS) === undefined && !('killed' in next.state && next.state.killed)) {
          throw new Error(`${next.state.name} waits without an end`)
        }
      }
      const exit = (code: number | null, random: number): void => {
        if (alive === undefined) return
        const generation = alive
        alive = undefined
        step({
          type: 'exited',
          generation,
          code,
          signal: code === null ? 'SIGKILL' : null,
          outOfMemory: code === null,
          random,
        })
      }
      for (const { op, code, passMs, random } of ops) {
        switch (op) {
          case 'start':
          case 'stop':
            step({ type: op })
            break
          case 'again':
            step({ type: 'stop', again: true })
            break
          case 'slot':
            if (!inQueue) break
            inQueue = false
            step({ type: 'slot' })
            break
          case 'ready':
          case 'heartbeat':
            if (alive !== undefined) step({ type: op, generation: alive })
            break
          case 'exit':
            exit(code, random)
            break
          case 'late': {
            const before = current
            step({ type: 'exited', generation: current.generation - 1, code, signal: null, outOfMemory: false, random })
            if (current !== before) throw new Error('an old process changed a new one')
            break
          }
          case 'deadline': {
            const dueMs = deadlineOf(current, LIMITS)
            if (dueMs === undefined) break
            nowMs = Math.max(nowMs, dueMs)
            step({ type: 'deadline', lateMs: 0 })
            break
          }
          case 'pass':
            nowMs += passMs
        }
      }
      // Whatever came before: the operator's start, and what follows by itself, ends in a running process.
      step({ type: 'start' })
      for (let i = 0; i < 5 && current.state.name !== 'running'; i++) {
        if (current.state.name === 'stopping' || ('killed' in current.state && current.state.killed)) exit(null, 0)
        const dueMs = deadlineOf(current, LIMITS)
        if (current.state.name === 'backing_off' && dueMs !== undefined) {
          nowMs = Math.max(nowMs, dueMs)
          step({ type: 'deadline', lateMs: 0 })
        }
        if (inQueue) {
          inQueue = false
          step({ type: 'slot' })
        }
        if (alive !== undefined) step({ type: 'ready', generation: alive })
      }
      if (current.state.name !== 'running') throw new Error(`start ended in ${current.state.name}`)
    }),
    { numRuns: 500 },
  )
})
