import { cpSync, copyFileSync, mkdirSync, writeFileSync, chmodSync } from 'node:fs'
import { join } from 'node:path'
import { startSimulator } from '../simulator/simulator.ts'
import { Checks } from './checks.ts'
import { Container } from './container.ts'
import { seeEnds } from './ends.ts'
import { InstalledService } from './installed-service.ts'
import { seeInstallation } from './installation.ts'
import { seeLogs } from './logs.ts'
import { seeUpgrades } from './upgrades.ts'

/**
 * The service under a real systemd, as an operator has it: installed by install.sh, ten accounts paired with the
 * simulator, then everything that systemd can do to it. Started by acceptance.sh, which gives the namespaces.
 */
const [tree, work] = process.argv.slice(2)
if (tree === undefined || work === undefined) {
  process.stderr.write('This is started by acceptance.sh: run `npm run acceptance`.\n')
  process.exit(64)
}

export interface Scene {
  checks: Checks
  container: Container
  service: InstalledService
  simulator: Awaited<ReturnType<typeof startSimulator>>
  /** Account ids, once they are paired. */
  accounts: string[]
}

const startedMs = performance.now()
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const simulator = await startSimulator()
const container = new Container(tree, work)
// What a person has on a machine before the installer: Node, and a release that was unpacked.
mkdirSync(container.path('/usr/local/bin'), { recursive: true })
copyFileSync(process.execPath, container.path('/usr/local/bin/node'))
chmodSync(container.path('/usr/local/bin/node'), 0o755)
cpSync(join(work, 'release'), container.path('/srv/release'), { recursive: true })
mkdirSync(container.path('/srv/disk'))
// Settings that the installer finds and leaves: the simulator in WhatsApp's place.
mkdirSync(container.path('/etc/whatsapp-backend'), { recursive: true })
const settings = {
  WA_SOCKET_URL: simulator.url,
  WA_NOISE_ROOT_KEY: simulator.noiseRootKey,
  WA_VERSION_URL: 'off',
  SPAWN_STAGGER_MIN_MS: '0',
  SPAWN_STAGGER_MAX_MS: '0',
}
writeFileSync(
  container.path('/etc/whatsapp-backend/environment'),
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join(''),
)
// A time of production that nobody wants to wait out; not so short that a supervisor which only gets no CPU for some
// seconds, as on a slow machine, is taken for one that stands still.
mkdirSync(container.path('/etc/systemd/system/whatsapp-backend.service.d'), { recursive: true })
writeFileSync(
  container.path('/etc/systemd/system/whatsapp-backend.service.d/acceptance.conf'),
  '[Service]\nWatchdogSec=20\n',
)

const service = new InstalledService(container)
const scene: Scene = { checks: new Checks(print), container, service, simulator, accounts: [] }
let isWell = false
try {
  await container.boot()
  await seeInstallation(scene)
  await seeLogs(scene)
  await seeEnds(scene)
  await seeUpgrades(scene)
  isWell = scene.checks.conclude()
  if (!isWell) print(await service.journal('-n', '60', '-o', 'short-precise'))
} finally {
  await container.powerOff()
  await simulator.close()
}
print(`${Math.round((performance.now() - startedMs) / 1000)} s`)
process.exit(isWell ? 0 : 1)
