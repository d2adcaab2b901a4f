import { readFileSync } from 'node:fs'
import t from 'tap'
import { startHttpService } from '../../../fixtures/http-service.ts'

t.test('the page and all that it is made of come from here, under a strict policy', async (t) => {
  const service = await startHttpService({ sessionsPath: t.testdir({}) })
  t.teardown(service.stop)
  const get = (url: string) => service.app.inject({ method: 'GET', url })
  const page = await get('/')
  t.equal(page.statusCode, 200)
  const policy = String(page.headers['content-security-policy'])
  t.match(policy, /script-src 'self' 'sha256-[A-Za-z0-9+/]{43}='/)
  t.notMatch(policy, /unsafe|https?:/)

  const seen = new Set<string>()
  /** Fetches a module and everything that it imports, as the browser would. */
  const follow = async (url: string): Promise<void> => {
    if (seen.has(url)) return
    seen.add(url)
    const module = await get(url)
    t.equal(module.statusCode, 200, url)
    t.match(module.headers['content-type'], /^(text|application)\/javascript/, url)
    for (const [, specifier = ''] of module.body.matchAll(/(?:\bfrom ?|^import )["']([@./\w-]+)["']/gm)) {
      const target = specifier.startsWith('.') ? new URL(specifier, `http://x${url}`).pathname : imports[specifier]
      t.ok(target, `${specifier} of ${url} is in the import map`)
      if (target !== undefined) await follow(target)
    }
  }
  const map = /<script type="importmap">([^<]*)</.exec(page.body)?.[1] ?? '{}'
  const { imports } = JSON.parse(map) as { imports: Record<string, string> }
  await follow('/app/supervisor/dashboard/main.js')
  t.ok(seen.size > 30, `${seen.size} modules`)
  for (const [, url = ''] of page.body.matchAll(/(?:href|src)="(\/[^"]+)"/g))
    t.equal((await get(url)).statusCode, 200, url)

  for (const url of [
    '/main.tsx',
    '/tsconfig.json',
    '/core/words.ts',
    '/app/supervisor/dashboard/main.js.map',
    '/app/shared/log.js',
  ]) {
    t.equal((await get(url)).statusCode, 404, url)
  }
  t.notMatch(
    readFileSync(new URL('../../../../../supervisor/dashboard/index.html', import.meta.url), 'utf8'),
    /https?:\/\//,
  )
})
