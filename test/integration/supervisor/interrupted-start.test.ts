import { connect } from 'node:net'
import t from 'tap'
import { createApp } from '../../fixtures/in-process-app.ts'
import { freePort } from '../../fixtures/firestore-emulator.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { startSimulator } from '../../simulator/simulator.ts'

t.test('a start that is told to stop goes no further', async (t) => {
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const port = await freePort()
  const app = createApp({ sessionsPath: t.testdir(), simulator, env: { PORT: String(port) } })
  const started = app.start()
  t.same(await app.stop(), [])
  await t.rejects(started, { code: 'shutting_down' })
  const isTaken = await new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true)).on('error', () => resolve(false))
    t.teardown(() => socket.destroy())
  })
  t.notOk(isTaken, 'nobody listens')
})

t.test('a signal during the start ends the service as a stop, whenever it comes', async (t) => {
  // As early as there is a handler for it, and a little later each time: each wait of a start is hit by some.
  for (const event of ['worker.unbundled', 'boot.started', 'http.listening']) {
    let signalled = false
    const service: SupervisorProcess = new SupervisorProcess({
      sessionsPath: t.testdir({ [event]: {} }),
      env: { WORKER_BUNDLE: 'off' },
      onLine: (line) => {
        if (signalled || !line.includes(`"${event}"`)) return
        signalled = true
        process.kill(service.pid, 'SIGTERM')
      },
    })
    t.teardown(() => service.end('SIGKILL'))
    t.equal(await service.exited(), 0, service.tail())
    t.notMatch(service.output.join('\n'), /start_failed/)
  }
})
