import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ACCOUNTS_FILE, type AccountRecord } from '../../../supervisor/accounts/store.ts'
import { launchBrowser, logIn, openPage, seriousFindings } from '../../fixtures/browser.ts'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'
import { testPhones } from '../../fixtures/paired-fleet.ts'
import { SupervisorProcess, TOKEN } from '../../fixtures/supervisor-process.ts'
import { until } from '../../fixtures/until.ts'

const COUNT = 200

/** Which accounts' rows were touched by the page, by id of their checkbox, since the last look. */
const WATCH_ROWS = `(() => {
  globalThis.touchedRows = new Set()
  new MutationObserver((changes) => {
    for (const { target } of changes) {
      const element = target instanceof Element ? target : target.parentElement
      // Times go on by themselves, in every row.
      if (element === null || element.closest('time') !== null) continue
      touchedRows.add(element.closest('tbody tr')?.querySelector('th a')?.textContent ?? 'another place')
    }
  }).observe(document.querySelector('.accounts tbody'), { subtree: true, childList: true, characterData: true, attributes: true })
})()`

/** Two hundred accounts that nobody runs: the page is what is looked at. */
await t.test('two hundred accounts on one page', { skip: leftOutWithout('chromium') }, async (t) => {
  const sessionsPath = join(t.testdir({}), 'sessions')
  mkdirSync(sessionsPath)
  const accounts = testPhones(COUNT).map((phone, index): AccountRecord => ({
    accountId: `account_test_${index + 1}`,
    name: `Shop ${index + 1}`,
    phone: `+${phone}`,
    desired: 'paused',
    purge: false,
    createdAt: '2026-01-01T00:00:00.000Z',
  }))
  writeFileSync(join(sessionsPath, ACCOUNTS_FILE), JSON.stringify({ version: 1, accounts }))
  const service = new SupervisorProcess({ sessionsPath, env: { MAX_ACCOUNTS: String(COUNT) } })
  t.teardown(() => service.end('SIGKILL'))
  await service.listening()
  const browser = await launchBrowser()
  t.teardown(() => browser.close())
  const { page, complaints, failures } = await openPage(browser, service.url, {
    viewport: { width: 1920, height: 945 },
  })
  await logIn(page, TOKEN)
  const rows = page.locator('tbody tr')
  const names = (): Promise<string[]> => page.locator('tbody th a').allTextContents()
  const firstName = (wanted: string) => until(`${wanted} on top`, async () => (await names())[0] === wanted)
  await page.getByRole('link', { name: 'Shop 200', exact: true }).waitFor()

  await t.test('all of them are there, thirty on one screen', async (t) => {
    t.equal(await rows.count(), COUNT)
    const last = await rows.nth(29).boundingBox()
    t.ok(last !== null && last.y + last.height <= 945, 'the thirtieth row is on the screen')
    t.strictSame(await seriousFindings(page), [])
  })

  await t.test('what happens to one account touches its row and no other', async (t) => {
    // Each row's picture of its last day comes later than the rows, and moves on with the clock every ten seconds.
    await page.waitForFunction(`document.querySelectorAll('tbody tr .strip rect.is-paused').length === ${COUNT}`)
    await page.clock.setFixedTime(Date.now())
    await page.evaluate(WATCH_ROWS)
    const answer = await service.api('PATCH', '/api/whatsapp/accounts/account_test_77', { name: 'Shop 77 Nord' })
    t.equal(answer.status, 200)
    await page.getByRole('link', { name: 'Shop 77 Nord', exact: true }).waitFor()
    t.strictSame(await page.evaluate('[...touchedRows]'), ['Shop 77 Nord'])
  })

  await t.test('is searched, sorted and narrowed down', async (t) => {
    await page.keyboard.press('/')
    await page.keyboard.type('shop 19')
    await until('12 rows', async () => (await rows.count()) === 12)
    t.match(await page.locator('.shown-count').textContent(), '12 of 200 accounts')
    await page.getByRole('button', { name: 'Show all' }).click()
    t.equal(await rows.count(), COUNT)
    await page.getByRole('button', { name: 'Account', exact: true }).click()
    await firstName('Shop 200')
    t.equal(
      await page.getByRole('columnheader', { name: 'Account', exact: true }).getAttribute('aria-sort'),
      'descending',
    )
    await page.getByRole('button', { name: /Connected$/ }).click()
    await page.getByText('No account fits').waitFor()
    await page.getByRole('button', { name: 'Show all' }).click()
  })

  await t.test('something is done with a selection, and what failed is told', async (t) => {
    for (const name of ['Shop 200', 'Shop 199', 'Shop 198']) await page.getByLabel(`Select ${name}`).check()
    const selected = page.getByRole('region', { name: 'Selected accounts' })
    t.match(await selected.textContent(), '3 selected')
    t.strictSame(await seriousFindings(page), [])
    await selected.getByRole('button', { name: 'Restart' }).click()
    await page.getByText(/3 failed.*paused/s).waitFor()
    await page.getByLabel('Select all shown accounts').check()
    t.match(await selected.textContent(), '200 selected')
    await selected.getByRole('button', { name: 'Clear selection' }).click()
    for (const name of ['Shop 200', 'Shop 199', 'Shop 198']) await page.getByLabel(`Select ${name}`).check()
    await selected.getByRole('button', { name: 'Remove' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Remove 3 accounts' }).click()
    await until('197 rows', async () => (await rows.count()) === COUNT - 3)
  })

  await t.test('a token is made, shown once and revoked', async (t) => {
    await page.getByRole('link', { name: 'Tokens' }).click()
    await page.getByLabel('Name').fill('Wall screen')
    await page.getByRole('button', { name: 'Make a token' }).click()
    const token = (await page.locator('.fresh-token output').textContent()) ?? ''
    t.equal((await service.api('GET', '/api/status/dashboard', undefined, token)).status, 200)
    t.strictSame(await seriousFindings(page), [])
    await page.reload()
    await page.getByRole('button', { name: 'Revoke' }).click()
    t.notMatch(await page.content(), token)
    await page.getByRole('button', { name: 'Revoke Wall screen' }).click()
    await page.getByText('No token was made yet').waitFor()
    t.equal((await service.api('GET', '/api/status/dashboard', undefined, token)).status, 401)
  })

  t.strictSame(complaints, [])
  t.strictSame(failures, ['401 GET /api/me'])
})
