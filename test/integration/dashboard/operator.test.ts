import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { launchBrowser, logIn, openPage, pictureOfQr, seriousFindings } from '../../fixtures/browser.ts'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { readQr } from '../../fixtures/qr-reader.ts'
import { startStallingProxy } from '../../fixtures/stalling-proxy.ts'
import { SupervisorProcess, TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'
import { SimulatorError } from '../../simulator/errors.ts'
import { startSimulator } from '../../simulator/simulator.ts'

const VIEWER_TOKEN = 'a-viewer-token-for-tests-0123456789'

/** What a person does in front of the page, told in order, in a real browser before a real service. */
await t.test('an operator in front of the dashboard', { skip: leftOutWithout('chromium') }, async (t) => {
  const sessionsPath = join(t.testdir({ sessions: {} }), 'sessions')
  const simulator = await startSimulator()
  t.teardown(() => simulator.close())
  const start = async (): Promise<SupervisorProcess> => {
    const env = { WA_SOCKET_URL: simulator.url, WA_NOISE_ROOT_KEY: simulator.noiseRootKey, VIEWER_TOKEN }
    const service = new SupervisorProcess({ sessionsPath, env })
    t.teardown(() => service.end('SIGKILL'))
    return service.listening()
  }
  let service = await start()
  // Between the browser and the service, so that the feed can be cut.
  const proxy = await startStallingProxy(t, portOf(service))
  const url = `http://127.0.0.1:${proxy.port}`
  const browser = await launchBrowser()
  t.teardown(() => browser.close())
  const { page, complaints, failures } = await openPage(browser, url)
  const [shop = '', ...others] = testPhones(6)
  const phoneOf = new Map<string | null, string>(others.map((phone, index) => [`Phone ${index + 1}`, phone]))

  const button = (name: string | RegExp) => page.getByRole('button', { name })
  const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })
  const shows = (name: string, status: string): Promise<void> =>
    row(name).locator('.status').filter({ hasText: status }).waitFor()
  const connectedRows = (count: number) =>
    until(`${count} connected rows`, async () => (await page.locator('tbody .status.is-connected').count()) === count)
  const scan = async (name: string, phone: string): Promise<void> => {
    const look = async (): Promise<string> => readQr(await pictureOfQr(page, name))
    const seen = await look()
    try {
      await simulator.scanQr(seen, phone)
    } catch (error) {
      if (!(error instanceof SimulatorError) || error.code !== 'unknown_qr') throw error
      // It died while the phone looked at it: a person points the camera at the next one, which has to come by itself.
      const next = await until('the next code', async () => {
        const text = await look()
        return text !== seen && text
      })
      await simulator.scanQr(next, phone)
    }
  }
  const choose = async (name: string, item: string): Promise<void> => {
    await button(`Actions for ${name}`).click()
    await page.getByRole('menuitem', { name: item }).click()
  }

  await t.test(
    'a wrong token is refused in words, the right one opens a fleet that says what to do first',
    async (t) => {
      await logIn(page, 'not-the-token')
      await page.getByText('The token is wrong.').waitFor()
      t.strictSame(await seriousFindings(page), [])
      await logIn(page, TOKEN)
      await page.getByRole('heading', { name: 'Link your first WhatsApp account' }).waitFor()
      t.strictSame(await seriousFindings(page), [])
      t.strictSame(failures.splice(0), ['401 GET /api/me', '401 POST /api/login'])
    },
  )

  await t.test('the phone scans the very picture on the screen, and the page says connected by itself', async (t) => {
    await page.getByLabel(/Name and phone/).fill(`Shop Cluj, +${shop}`)
    await button('Add 1 account').click()
    await page.getByRole('img', { name: 'QR code of Shop Cluj' }).waitFor()
    t.strictSame(await seriousFindings(page), [])
    const height = async (): Promise<number | undefined> => (await page.locator('.link-code').boundingBox())?.height
    const withCode = await height()
    await scan('Shop Cluj', shop)
    await page.getByRole('dialog').getByText('This phone is linked').waitFor()
    t.equal(await height(), withCode, 'the buttons below stay where they are')
    await button('Done').click()
    await shows('Shop Cluj', 'Connected')
    t.strictSame(await seriousFindings(page), [])
  })

  await t.test('lines that can not be read are told one by one, and nothing is sent', async (t) => {
    await button('Add accounts').click()
    await page.getByLabel(/Name and phone/).fill('name;phone\nShop Iași;0723456789\nJust a name')
    const errors = page.getByRole('alert').getByRole('listitem')
    await errors.first().waitFor()
    t.match(await errors.allTextContents(), [/Line 2.*no country code/, /Line 3/])
    t.ok(await button('Add').last().isDisabled())
    await page.keyboard.press('Escape')
    t.equal(await page.getByRole('dialog').count(), 0)
    await focusOn(page, 'Add accounts')
  })

  await t.test('five accounts in a row, each code where the last one was', async (t) => {
    await button('Add accounts').click()
    const lines = others.map((phone, index) => `Phone ${index + 1}\t+${phone}`)
    await page.getByLabel(/Name and phone/).fill(lines.join('\n'))
    await button('Add 5 accounts').click()
    const who = page.locator('.link-who b')
    const seen: (string | null)[] = []
    for (let turn = 0; turn < others.length; turn++) {
      await until(
        'the next account on the screen',
        async () => {
          const name = await who.textContent()
          return name !== null && !seen.includes(name) && seen.push(name) > 0
        },
        () => `after ${seen.join(', ')}`,
      )
      if (turn === 0) {
        t.strictSame(await seriousFindings(page), [])
        seen.pop()
        // Read now: the turn may have gone on by itself while the page was checked.
        const skipped = await who.textContent()
        await button('Skip for now').click()
        let inItsPlace = skipped
        await until(
          'another one in its place',
          async () => (inItsPlace = await who.textContent()) !== skipped,
          () => `still ${inItsPlace}`,
        )
        seen.push(inItsPlace)
      }
      const shown = seen.at(-1) ?? ''
      await page.getByRole('img', { name: `QR code of ${shown}` }).waitFor()
      await scan(shown, phoneOf.get(shown) ?? '')
    }
    await page.getByRole('heading', { name: '5 phones linked' }).waitFor()
    t.strictSame([...seen].sort(), [...phoneOf.keys()].sort())
    await page.getByRole('link', { name: 'Back to all accounts' }).click()
    await connectedRows(6)
  })

  await t.test('pauses and resumes from the menu of a row, by keyboard alone', async () => {
    await button('Actions for Phone 2').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('menu').waitFor()
    while ((await focused(page)) !== 'Pause') await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await shows('Phone 2', 'Paused')
    await focusOn(page, 'Actions for Phone 2')
    await choose('Phone 2', 'Resume')
    await shows('Phone 2', 'Connected')
  })

  await t.test('the end of a bulk action is told, also where it overtakes the answer that it still runs', async (t) => {
    let asked = 0
    await page.route('**/api/whatsapp/actions/*', async (route) => {
      const answer = await route.fetch()
      if (asked++ > 0) return route.fulfill({ response: answer })
      // The first answer is as of the beginning, and arrives when all is over, however fast the machine is.
      const { pathname } = new URL(route.request().url())
      const { action } = await until('the end of the action', async () => {
        const { body } = (await service.api('GET', pathname)) as { body: { action: { finishedAt: string | null } } }
        return body.action.finishedAt !== null && body
      })
      await route.fulfill({ response: answer, json: { action: { ...action, finishedAt: null, results: [] } } })
    })
    const selected = page.getByRole('region', { name: 'Selected accounts' })
    await page.getByLabel('Select all shown accounts').check()
    await selected.getByRole('button', { name: 'Pause' }).click()
    await page.getByText('Pausing 6 accounts: done.').waitFor()
    t.ok(asked > 1, 'the page looked once more')
    await page.unroute('**/api/whatsapp/actions/*')
    await page.getByLabel('Select all shown accounts').check()
    await selected.getByRole('button', { name: 'Resume' }).click()
    await page.getByText('Resuming 6 accounts: done.').waitFor()
    await connectedRows(6)
  })

  await t.test("an account's page has its history and its log, live", async (t) => {
    await page.getByRole('link', { name: 'Phone 3', exact: true }).click()
    await page.getByRole('heading', { name: 'Phone 3' }).waitFor()
    await page.locator('.history li').filter({ hasText: 'Connected' }).first().waitFor()
    const lines = page.locator('.log p:not(.faint)')
    await lines.first().waitFor()
    const before = await lines.count()
    await button('Restart').click()
    await until('more lines than before', async () => (await lines.count()) > before + 1)
    await page.locator('.now-status').getByText('Connected').waitFor()
    t.strictSame(await seriousFindings(page), [])
    await choose('Phone 3', 'Rename')
    await page.getByRole('dialog').getByLabel('Name').fill('Reception')
    await button('Rename').click()
    await page.getByRole('heading', { name: 'Reception' }).waitFor()
    await page.getByRole('link', { name: 'All accounts' }).click()
  })

  await t.test('removing asks, names what is lost, and can be put back', async (t) => {
    await choose('Phone 4', 'Remove')
    const dialog = page.getByRole('dialog')
    t.match(await dialog.textContent(), /set aside on the disk.*backups.*deleted/s)
    // Enter loses nothing.
    await focusOn(page, 'Cancel')
    await page.keyboard.press('Enter')
    t.equal(await row('Phone 4').count(), 1)
    await choose('Phone 4', 'Remove')
    await button('Remove Phone 4').click()
    await row('Phone 4').waitFor({ state: 'detached' })
    await page.getByRole('link', { name: 'Set aside' }).click()
    await button('Put back').click()
    t.strictSame(await seriousFindings(page), [])
    await dialog.getByRole('button', { name: 'Put back' }).click()
    await page.getByText('was put back').waitFor()
    await page.getByRole('link', { name: 'Accounts', exact: true }).click()
    await connectedRows(6)
  })

  await t.test('a viewer sees the same fleet without codes and without buttons', async (t) => {
    const viewer = await openPage(browser, url)
    await logIn(viewer.page, VIEWER_TOKEN)
    await viewer.page.getByText('Read only').waitFor()
    await viewer.page.getByRole('link', { name: 'Shop Cluj', exact: true }).waitFor()
    await choose('Shop Cluj', 'Log out')
    await button('Log out Shop Cluj').click()
    await button('Show QR: Shop Cluj').click()
    await page.getByRole('img', { name: 'QR code of Shop Cluj' }).waitFor()
    await viewer.page.getByRole('region', { name: 'Needs you' }).getByText('Shop Cluj').waitFor()
    t.equal(await viewer.page.locator('img.qr, .menu-button, input[type=checkbox]').count(), 0)
    t.strictSame(
      await viewer.page.getByRole('button', { name: /^(Show QR|Add|Restart|Pause|Recover)(:|$)/ }).allTextContents(),
      [],
    )
    t.notMatch(await viewer.page.content(), 'data:image/png')
    t.strictSame(await seriousFindings(viewer.page), [])
    t.strictSame(viewer.complaints, [])
    t.strictSame(viewer.failures, ['401 GET /api/me'])
    await viewer.page.context().close()
    await scan('Shop Cluj', shop)
    await page.getByRole('dialog').getByText('This phone is linked').waitFor()
    await button('Done').click()
  })

  await t.test('a feed that is cut is said to be lost, and goes on without a gap', async (t) => {
    const resumed: (string | undefined)[] = []
    page.on('request', (request) => {
      if (request.url().includes('/api/events')) resumed.push(request.headers()['last-event-id'])
    })
    const { accounts } = await service.dashboard()
    const phone5 = accounts.find(({ name }) => name === 'Phone 5')?.accountId ?? ''
    // Nobody listens there.
    proxy.leadTo(1)
    await page.getByRole('alert').getByText('The service does not answer').waitFor()
    t.ok(await page.locator('main.is-stale').count(), 'what is old is grey')
    await service.api('POST', `/api/whatsapp/accounts/${phone5}/pause`)
    await shows('Phone 5', 'Connected')
    proxy.leadTo(portOf(service))
    await shows('Phone 5', 'Paused')
    await page.getByText('The service does not answer').waitFor({ state: 'detached' })
    t.equal(await page.locator('main.is-stale').count(), 0)
    t.match(resumed.at(-1), /^\S+-\d+$/, 'from the last event on')
  })

  await t.test('the service dies and comes back, and so does the page', async () => {
    await service.end('SIGKILL')
    await page.getByRole('alert').getByText('The service does not answer').waitFor()
    service = await start()
    proxy.leadTo(portOf(service))
    await page.getByText('The service does not answer').waitFor({ state: 'detached' })
    await connectedRows(5)
  })

  await t.test('on a phone nothing is cut off, in the dark', async (t) => {
    const storageState = await page.context().storageState()
    const viewport = { width: 390, height: 844 }
    const phone = await openPage(browser, url, { viewport, hasTouch: true, colorScheme: 'dark', storageState })
    await phone.page.getByRole('link', { name: 'Shop Cluj', exact: true }).waitFor()
    t.equal(await phone.page.evaluate('document.documentElement.scrollWidth'), viewport.width)
    t.strictSame(await seriousFindings(phone.page), [])
    await phone.page.getByRole('button', { name: 'Add accounts' }).click()
    await phone.page.getByRole('dialog').waitFor()
    t.strictSame(await seriousFindings(phone.page), [])
    t.strictSame(phone.complaints, [])
    await phone.page.context().close()
  })

  await t.test('logging out leaves nothing on the page', async (t) => {
    await page.locator('.top').getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('Token').waitFor()
    t.notMatch(await page.content(), 'Shop Cluj')
    await page.reload()
    await page.getByLabel('Token').waitFor()
  })

  t.strictSame(complaints, [], 'no error, no warning, nothing that the policy refused')
  t.strictSame([...new Set(failures)], ['401 GET /api/me'])
})

function portOf({ url }: SupervisorProcess): number {
  return Number(new URL(url).port)
}

/** What the focused element is called. */
async function focused(page: Page): Promise<string> {
  return page.evaluate<string>('(document.activeElement.ariaLabel ?? document.activeElement.textContent).trim()')
}

/** Waits until the button of this name has the focus: a dialog gives it back when it has closed. */
async function focusOn(page: Page, name: string): Promise<void> {
  let seen = ''
  await until(
    `the focus on ${name}`,
    async () => (seen = await focused(page)) === name,
    () => seen,
  )
}
