import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import type { Scene } from './acceptance-command.ts'
import { expect, expectEqual } from './checks.ts'
import { VOLUME } from './installation.ts'

/** The next versions: a good one, one that ends, one that never gets ready; and the end of it all. */
export async function seeUpgrades({ checks, container, service, accounts }: Scene): Promise<void> {
  const first = readFileSync(container.path('/srv/release/RELEASE'), 'utf8').trim()
  const current = async (): Promise<string> =>
    (await container.must('readlink', '/opt/whatsapp-backend/current')).trim()
  /** A release as it is unpacked, with another entry. */
  const makeRelease = (name: string, change: (main: string) => string): string => {
    cpSync(container.path('/srv/release'), container.path(`/srv/${name}`), { recursive: true })
    writeFileSync(container.path(`/srv/${name}/RELEASE`), `${name}\n`)
    const entry = container.path(`/srv/${name}/dist/supervisor/main.js`)
    writeFileSync(entry, change(readFileSync(entry, 'utf8')))
    return `/srv/${name}/systemd/install.sh`
  }

  await checks.see('an upgrade in place: the new version runs, every account is back', async () => {
    const install = makeRelease('9.0.0-good', (main) => `${main}\n// another version\n`)
    const said = await container.must(install)
    expectEqual(await current(), 'releases/9.0.0-good', 'the release in use')
    await service.connected(accounts.length)
    return /is ready: (.*)/.exec(said)?.[1] ?? ''
  })

  await checks.see('a version that ends at its start is taken back', async () => {
    const install = makeRelease('9.1.0-ends', () => 'process.exit(1)\n')
    const { code, output } = await container.run(install)
    expect(code !== 0 && output.includes('Release 9.0.0-good runs again'), output)
    expectEqual(await current(), 'releases/9.0.0-good', 'the release in use')
    await service.connected(accounts.length)
    return output.trim().split('\n').at(-1) ?? ''
  })

  await checks.see('a version that never gets ready is taken back', async () => {
    const install = makeRelease('9.2.0-hangs', () => 'setInterval(() => {}, 1000)\n')
    const { code, output } = await container.run(install, '--ready-timeout', '8')
    expect(code !== 0 && output.includes('was not ready within 8 s'), output)
    expectEqual(await current(), 'releases/9.0.0-good', 'the release in use')
    // On a slow machine the old version may need longer than the eight seconds too: it comes up all the same.
    await service.becomes('ActiveState', (value) => value === 'active')
    await service.connected(accounts.length)
  })

  await checks.see('a version that was kept is put back by its own install.sh', async () => {
    await container.must(`/opt/whatsapp-backend/releases/${first}/systemd/install.sh`)
    expectEqual(await current(), `releases/${first}`, 'the release in use')
    await service.connected(accounts.length)
  })

  await checks.see('--uninstall leaves the sessions, the credentials and nothing else', async () => {
    const sessions = await container.must('find', VOLUME, '-name', 'session*', '-o', '-name', 'accounts.json')
    const said = await container.must('/srv/release/systemd/install.sh', '--uninstall')
    const { code } = await container.run('systemctl', 'cat', 'whatsapp-backend')
    expect(code !== 0, 'the unit is still there')
    expectEqual((await container.run('test', '-e', '/opt/whatsapp-backend')).code, 1, 'test -e /opt/whatsapp-backend')
    const left = await container.must('find', VOLUME, '-name', 'session*', '-o', '-name', 'accounts.json')
    expect(sessions.includes('accounts.json'), `no sessions: ${sessions}`)
    expectEqual(left, sessions, 'the sessions')
    const token = await container.must('cat', '/etc/whatsapp-backend/credentials/admin-token')
    expectEqual(token.trim(), service.token, 'the token')
    return said.trim().split('\n').at(-2) ?? ''
  })

  await checks.see('installed again, every account is back without a QR code', async () => {
    await container.must('/srv/release/systemd/install.sh')
    await service.connected(accounts.length)
  })
}
