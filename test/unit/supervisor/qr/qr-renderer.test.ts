import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { QrRenderer } from '../../../../supervisor/qr/qr-renderer.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { until } from '../../../fixtures/until.ts'

const task = (name: string): URL => new URL(`./fixtures/${name}-task.js`, import.meta.url)

// Threads and deadlines of the renderer keep no process alive.
const alive = setInterval(() => undefined, 60_000)
t.teardown(() => clearInterval(alive))

t.test('draws, once for all who ask', async (t) => {
  const qr = new QrRenderer({ clock: systemClock })
  t.teardown(() => qr.stop())
  const [one, same] = [qr.render('hello'), qr.render('hello')]
  t.equal(one, same)
  t.match(await one, /^data:image\/png;base64,/)
  t.match(await qr.render('hello', 'svg'), /^<svg/)
})

t.test(
  'a thread that dies before it draws costs its drawing alone, at once, and the next one tries anew',
  async (t) => {
    // It stands still: no deadline ever comes.
    const qr = new QrRenderer({ clock: new ManualClock(), taskUrl: task('dying') })
    t.teardown(() => qr.stop())
    const one = qr.render('hello')
    await t.rejects(one, { message: /thread died/ })
    const again = qr.render('hello')
    t.not(again, one)
    await t.rejects(again, { message: /thread died/ })
  },
)

t.test('one that draws nothing is given up, and what waited as long behind it; the others are drawn', async (t) => {
  const clock = new ManualClock()
  const qr = new QrRenderer({ clock, taskUrl: task('hanging') })
  t.teardown(() => qr.stop())
  const [hung, asLong] = [qr.render('one'), qr.render('two')]
  for (const drawing of [hung, asLong]) drawing.catch(() => undefined)
  await until('its turn', () => clock.pending === 1)
  clock.advance(30_000)
  const behind = qr.render('drawn')
  clock.advance(30_000)
  await t.rejects(hung, { message: /no result after/ })
  await t.rejects(asLong, { message: /too late/ })
  t.equal(await behind, 'drawn')
})

t.test('a thread that hangs while it starts is given up with its drawing', async (t) => {
  const begun = join(t.testdir(), 'begun')
  process.env['HUNG_ONCE'] = begun
  const clock = new ManualClock()
  const qr = new QrRenderer({ clock, taskUrl: task('slow-start') })
  t.teardown(() => qr.stop())
  const hung = qr.render('one')
  hung.catch(() => undefined)
  await until('the thread to hang', () => existsSync(begun))
  clock.advance(60_000)
  await t.rejects(hung, { message: /no result after/ })
  let drawn: string | undefined
  void qr.render('two').then((text) => (drawn = text))
  await until('the next one', () => drawn === 'two')
})

t.test('what is drawn or waits at the end of the service rejects', async (t) => {
  const clock = new ManualClock()
  const qr = new QrRenderer({ clock, taskUrl: task('hanging') })
  const ends = Promise.allSettled([qr.render('one'), qr.render('two')])
  await until('the turn of the first', () => clock.pending === 1)
  await qr.stop()
  t.strictSame(
    (await ends).map(({ status }) => status),
    ['rejected', 'rejected'],
  )
})
