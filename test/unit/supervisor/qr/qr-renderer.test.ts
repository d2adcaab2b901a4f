import t from 'tap'
import { QrRenderer } from '../../../../supervisor/qr/qr-renderer.ts'

const task = (name: string): URL => new URL(`./fixtures/${name}-task.js`, import.meta.url)

// Threads and deadlines of the renderer keep no process alive.
const alive = setInterval(() => undefined, 60_000)
t.teardown(() => clearInterval(alive))

t.test('draws, once for all who ask', async (t) => {
  const qr = new QrRenderer()
  t.teardown(() => qr.stop())
  const [one, same] = [qr.render('hello'), qr.render('hello')]
  t.equal(one, same)
  t.match(await one, /^data:image\/png;base64,/)
  t.match(await qr.render('hello', 'svg'), /^<svg/)
})

t.test('a thread that dies before it draws costs its drawing alone, and the next one tries anew', async (t) => {
  const qr = new QrRenderer({ taskUrl: task('dying'), deadlineMs: 500 })
  t.teardown(() => qr.stop())
  await t.rejects(qr.render('hello'))
  const again = qr.render('hello')
  await t.rejects(again)
  t.not(
    qr.render('hello').catch(() => undefined),
    again,
  )
})

t.test('one that draws nothing is given up', async (t) => {
  const qr = new QrRenderer({ taskUrl: task('hanging'), deadlineMs: 200 })
  t.teardown(() => qr.stop())
  await t.rejects(qr.render('hello'))
  await t.rejects(qr.render('hello'))
})
