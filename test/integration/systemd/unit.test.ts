import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { leftOutWithout } from '../../fixtures/machine-tools.ts'

const FILES = fileURLToPath(new URL('../../../../systemd', import.meta.url))
const UNIT = 'whatsapp-backend.service'
const ANALYZE = { skip: leftOutWithout('systemd-analyze') }
const SHELLCHECK = { skip: leftOutWithout('shellcheck') }

/** Runs a tool that has to be there: what can't be checked is not well. */
function run(command: string, ...args: string[]): { code: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw new Error(`${command} could not be run: apt-get install systemd shellcheck`, { cause: error })
  return { code: status, output: stdout + stderr }
}

/** A machine on which it is installed, as far as systemd-analyze looks: this one's own units, Node, the volume. */
function machine(root: string, unit: string): string {
  const own = join(root, 'etc/systemd/system')
  for (const directory of [own, join(root, 'opt/whatsapp-backend/bin')]) mkdirSync(directory, { recursive: true })
  cpSync('/usr/lib/systemd/system', join(root, 'usr/lib/systemd/system'), { recursive: true, verbatimSymlinks: true })
  writeFileSync(join(root, 'opt/whatsapp-backend/bin/node'), '', { mode: 0o755 })
  const where = '/var/lib/whatsapp-backend/sessions'
  writeFileSync(
    join(own, 'var-lib-whatsapp\\x2dbackend-sessions.mount'),
    `[Mount]\nWhat=/dev/sdb\nWhere=${where}\nType=ext4\n`,
  )
  writeFileSync(join(own, UNIT), unit)
  return root
}

const text = readFileSync(join(FILES, UNIT), 'utf8')

t.test('systemd has nothing to say against the unit', ANALYZE, async (t) => {
  t.strictSame(run('systemd-analyze', 'verify', '--man=no', `--root=${machine(t.testdir(), text)}`, UNIT), {
    code: 0,
    output: '',
  })
})

t.test('and would have, against one with a mistake', ANALYZE, async (t) => {
  const root = machine(t.testdir(), text.replace('WatchdogSec=', 'WatchDogSecs='))
  t.match(run('systemd-analyze', 'verify', '--man=no', `--root=${root}`, UNIT).output, /Unknown key.* 'WatchDogSecs'/)
})

t.test('its exposure is 1.5 or less', ANALYZE, async (t) => {
  // In tenths.
  const { code, output } = run('systemd-analyze', 'security', '--offline=yes', '--threshold=15', join(FILES, UNIT))
  t.equal(code, 0, output)
  t.match(output, /Overall exposure level for .*: \d\.\d/)
})

t.test('the scripts are clean', SHELLCHECK, async (t) => {
  const scripts = ['install.sh', 'make-release.sh', 'command.sh'].map((name) => join(FILES, name))
  for (const path of ['test/acceptance/acceptance.sh', '.ci/run']) {
    scripts.push(fileURLToPath(new URL(`../../../../${path}`, import.meta.url)))
  }
  t.strictSame(run('shellcheck', ...scripts), { code: 0, output: '' })
})

t.test('the installer explains itself, and refuses what it does not know', async (t) => {
  const script = join(FILES, 'install.sh')
  t.match(run('bash', script, '--help'), { code: 0, output: /--uninstall/ })
  t.match(run('bash', script, '--upgrade'), { code: 64, output: /"--upgrade" is no option/ })
  t.match(run('bash', script, '--ready-timeout', '2m'), { code: 1, output: /--ready-timeout is "2m": a whole number/ })
})

t.test('what the installer checks is what the unit says', async (t) => {
  const installer = readFileSync(join(FILES, 'install.sh'), 'utf8')
  for (const path of ['/etc/whatsapp-backend/environment', '/etc/whatsapp-backend/credentials/admin-token']) {
    t.match(text, path)
  }
  t.match(installer, 'VOLUME=/var/lib/$NAME/sessions')
  t.match(text, 'AssertPathIsMountPoint=/var/lib/whatsapp-backend/sessions')
})
