import t from 'tap'
import { systemClock } from '../../../../shared/clock.ts'
import { QrRenderer } from '../../../../supervisor/qr/qr-renderer.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'
import { until } from '../../../fixtures/until.ts'

const task = (name: string): URL => new URL(`./fixtures/${name}-task.js`, import.meta.url)
/** Longer than any drawing is waited for. */
const LATE_MS = 10 * 60_000

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

t.test('a thread that dies before it draws costs its drawing alone, and the next one tries anew', async (t) => {
  const qr = new QrRenderer({ clock: systemClock, taskUrl: task('dying') })
  t.teardown(() => qr.stop())
  await t.rejects(qr.render('hello'))
  const again = qr.render('hello')
  await t.rejects(again)
  t.not(
    qr.render('hello').catch(() => undefined),
    again,
  )
})

t.test('one that draws nothing is given up; those behind it have their own time, from their turn', async (t) => {
  const clock = new ManualClock()
  const qr = new QrRenderer({ clock, taskUrl: task('hanging') })
  t.teardown(() => qr.stop())
  const [one, two, behind] = [qr.render('one'), qr.render('two'), qr.render('drawn')]
  for (const drawing of [one, two]) {
    drawing.catch(() => undefined)
    await until('its turn', () => clock.pending === 1)
    clock.advance(LATE_MS)
    await t.rejects(drawing, { message: /no result after/ })
  }
  t.equal(await behind, 'drawn')
  t.not(
    qr.render('one').catch(() => undefined),
    one,
  )
})

t.test('what waits at the end of the service rejects', async (t) => {
  const qr = new QrRenderer({ clock: systemClock, taskUrl: task('hanging') })
  const ends = Promise.allSettled([qr.render('one'), qr.render('two')])
  await qr.stop()
  t.strictSame(
    (await ends).map(({ status }) => status),
    ['rejected', 'rejected'],
  )
})
