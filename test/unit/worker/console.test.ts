import t from 'tap'
import { silenceConsole } from '../../../worker/console.ts'

t.test('counts what libraries print, and keeps nothing of it', async (t) => {
  const printed: unknown[] = []
  const target = { ...console, info: (...args: unknown[]) => void printed.push(args) }
  const heard: unknown[] = []
  const silenced = silenceConsole((...args) => heard.push(args), target)
  target.info('Closing session:', { privKey: 'secret' })
  target.info('secret')
  target.warn('secret')
  t.same(silenced.counts(), { info: 2, warn: 1 })
  t.same(heard, [
    ['info', 1],
    ['info', 2],
    ['warn', 1],
  ])
  t.same(printed, [])
  silenced.restore()
  target.info('again')
  t.same(printed, [['again']])
})

t.test('the real console falls silent too', async (t) => {
  const silenced = silenceConsole()
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace', 'table', 'dir'] as const)
    console[method]('SECRET')
  const counts = silenced.counts()
  silenced.restore()
  t.equal(Object.keys(counts).length, 8)
})
