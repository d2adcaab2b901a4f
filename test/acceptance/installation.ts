import { appendFileSync } from 'node:fs'
import { OOM_SCORES } from '../../shared/oom-score.ts'
import { pairAll, testPhones } from '../fixtures/paired-fleet.ts'
import { until } from '../fixtures/until.ts'
import type { Scene } from './acceptance-command.ts'
import { expect, expectEqual } from './checks.ts'

export const ACCOUNTS = 10
export const VOLUME = '/var/lib/whatsapp-backend/sessions'
export const INSTALL = '/srv/release/systemd/install.sh'

/** From a bare machine to ten connected accounts. */
export async function seeInstallation(scene: Scene): Promise<void> {
  const { checks, container, service, simulator } = scene
  const listing = (): Promise<string> =>
    container.must('find', '/etc', '/opt', '/usr/lib/systemd', '/var/lib', '-xdev', '-printf', '%p %T@ %m %u\n')

  await checks.see('install.sh --dry-run says what it would do and changes nothing', async () => {
    const before = await listing()
    const said = await container.must(INSTALL, '--dry-run')
    expect(said.includes('/etc/systemd/system/whatsapp-backend.service'), said)
    expectEqual(await listing(), before, 'what is on the disk')
  })

  await checks.see('without the volume: installed, not started, and nothing below the mount point', async () => {
    const said = await container.must(INSTALL)
    expect(said.includes('NOT STARTED'), said)
    const { code, output } = await container.run('systemctl', 'start', 'whatsapp-backend')
    expect(code !== 0, `systemctl start ended with ${code}`)
    expectEqual(await service.show('ActiveState'), 'inactive', 'the state')
    expectEqual(
      await container.must('find', VOLUME, '-printf', '%p %u %m\n'),
      `${VOLUME} root 755\n`,
      'the mount point',
    )
    return output.trim().split('\n')[0] ?? ''
  })

  await checks.see('with the volume in fstab install.sh starts it', async () => {
    appendFileSync(container.path('/etc/fstab'), `/srv/disk ${VOLUME} none bind,nofail 0 0\n`)
    await container.must('systemctl', 'daemon-reload')
    await container.must('mount', VOLUME)
    const said = await container.must(INSTALL)
    expectEqual(await service.show('ActiveState'), 'active', 'the state')
    expectEqual(await container.must('stat', '-c', '%U %a', VOLUME), 'whatsapp-backend 700\n', 'the volume')
    return /is ready: (.*)/.exec(said)?.[1] ?? said
  })
  service.token = (await container.run('cat', '/etc/whatsapp-backend/credentials/admin-token')).output.trim()

  await checks.see('install.sh again changes and restarts nothing', async () => {
    const pid = await service.show('MainPID')
    const before = await listing()
    const said = await container.must(INSTALL)
    expect(said.includes('runs already'), said)
    expectEqual(await service.show('MainPID'), pid, 'the process')
    expectEqual(await listing(), before, 'what is on the disk')
  })

  await checks.see('READY comes when the API answers, not before', async () => {
    await container.must('systemctl', 'restart', 'whatsapp-backend')
    expectEqual(await service.healthCode(), 200, '/health at the moment when systemctl returns')
    const activeUs = Number(await service.show('ActiveEnterTimestampMonotonic'))
    const entry = await service.journal('EVENT=http.listening', '-n', '1', '-o', 'json')
    const listeningUs = Number(/"__MONOTONIC_TIMESTAMP":"(\d+)"/.exec(entry)?.[1])
    expect(listeningUs <= activeUs, `listening at ${listeningUs}, active at ${activeUs}`)
    return `${Math.round((activeUs - listeningUs) / 1000)} ms after it`
  })

  await checks.see('ten accounts pair and connect, and the STATUS line says so', async () => {
    const pairing = pairAll(service, simulator, testPhones(ACCOUNTS))
    await until('a STATUS on the way', async () => /connecting|needs QR/.test(await service.show('StatusText')))
    scene.accounts = await pairing
    await service.connected(ACCOUNTS)
    return service.becomes('StatusText', (text) => text === `${ACCOUNTS}/${ACCOUNTS} connected`)
  })

  await checks.see('secrets are in no environment, and the sandbox holds', async () => {
    const pid = await service.show('MainPID')
    const environment = await container.must('cat', `/proc/${pid}/environ`)
    expect(!environment.includes(service.token), 'the token is in the environment')
    const [worker] = [...(await service.workers()).values()].flat()
    const inherited = await container.must('cat', `/proc/${worker}/environ`)
    expect(!/CREDENTIALS|NOTIFY|WATCHDOG|WA_/.test(inherited), `a worker has ${inherited.replaceAll('\0', ' ')}`)
    // Taken back by the worker itself, which has no capabilities here, after a minute of being connected.
    const score = async (): Promise<number> => Number(await container.must('cat', `/proc/${worker}/oom_score_adj`))
    const { connected, settled } = OOM_SCORES
    const first = await score()
    expect(first === connected || first === settled, `a connected worker's oom_score_adj is ${first}`)
    await until(`a worker's oom_score_adj to be ${settled}`, async () => (await score()) === settled)
    const text = await container.must('systemd-analyze', 'security', '--no-pager', 'whatsapp-backend')
    const exposure = Number(/Overall exposure level for .*: ([\d.]+)/.exec(text)?.[1])
    expect(exposure <= 1.5, `exposure ${exposure}`)
    return `exposure ${exposure}`
  })
}
