import { testPhones } from '../fixtures/paired-fleet.ts'
import { until } from '../fixtures/until.ts'
import type { Scene } from './acceptance-command.ts'
import { expect, expectEqual } from './checks.ts'

/** One account's log, as somebody at 3 a.m. asks for it; and the death of one worker, which the others do not notice. */
export async function seeLogs({ checks, container, service, simulator, accounts }: Scene): Promise<void> {
  const [victim = '', neighbour = ''] = accounts
  const [phone = ''] = testPhones(1)

  await checks.see("one account's log by -t: its own words, readable, nobody else's", async () => {
    const text = await service.journal('-t', victim, '-o', 'cat')
    expect(text.includes('connection.connected: Connection'), text.slice(0, 500))
    expect(!text.includes(neighbour) && !text.includes('{"level"'), 'there is more in it')
    const unit = await service.journal('-u', 'whatsapp-backend', '-t', victim, '-o', 'cat')
    expectEqual(unit.split('\n').length, text.split('\n').length, 'lines by -u and -t')
  })

  await checks.see('by field: journalctl ACCOUNT_ID=... EVENT=connection.connected', async () => {
    const text = await service.journal(`ACCOUNT_ID=${victim}`, 'EVENT=connection.connected', '-o', 'json')
    const pid = (await service.workers()).get(victim)?.[0]
    expect(text.includes(`"_PID":"${pid}"`) && text.includes('"STATUS":"connected"'), text.slice(0, 500))
  })

  await checks.see('by priority: a warning is one for journalctl -p warning', async () => {
    const mark = await service.mark()
    simulator.dropAll(phone)
    await until('the warning', async () => (await service.journal(mark, '-t', victim, '-p', 'warning')).length > 0)
    expectEqual(await service.journal(mark, '-t', neighbour, '-p', 'warning'), '', "the neighbour's warnings")
    await service.connected(accounts.length)
    return (await service.journal(mark, '-t', victim, '-p', 'warning', '-o', 'cat')).split('\n')[0] ?? ''
  })

  await checks.see('journald restarts: nobody falls, and what is said afterwards arrives', async () => {
    const before = await service.workers()
    await container.must('systemctl', 'restart', 'systemd-journald')
    const mark = await service.mark()
    simulator.dropAll(phone)
    await until('a line', async () => (await service.journal(mark, '-t', victim, 'EVENT=connection.connected')) !== '')
    expectEqual([...(await service.workers())].sort(), [...before].sort(), 'the workers')
  })

  // No cgroup v2 memory controller in this container: the limit is one of the process, and the allocation that fails
  // under it is the process's own end. What the kernel's killer leaves is the same: one worker less, with no warning.
  await checks.see(
    'a worker dies of memory: its last words are in its own log, the others keep their sockets',
    async () => {
      const before = await service.dashboard()
      const pid = before.accounts.find(({ accountId }) => accountId === victim)?.process.pid
      const mark = await service.mark()
      await container.must('prlimit', `--pid=${pid}`, '--as=1000000')
      for (let n = 0; (await service.workers()).get(victim)?.includes(pid ?? -1) === true; n++) {
        expect(n < 2000, 'it lives on')
        await simulator.sendText({ to: phone, from: `4079${n % 10}000001`, text: 'x'.repeat(60_000) })
      }
      await service.account(victim, ({ status, process }) => status === 'connected' && process.pid !== pid)
      const after = await service.connected(accounts.length)
      const sockets = (rows: typeof after): unknown[] =>
        rows
          .filter(({ accountId }) => accountId !== victim)
          .map(({ accountId, process, reconnectCount }) => [accountId, process.pid, reconnectCount])
      expectEqual(sockets(after), sockets(before.accounts), 'processes and reconnects of the others')
      expectEqual(await service.show('NRestarts'), '0', 'restarts of the service')
      const words = await service.journal(mark, '-t', victim, '-p', 'err', '-o', 'cat')
      const told = await service.journal(mark, '-t', victim, 'EVENT=child.exited', '-o', 'cat')
      expect(words !== '' && told !== '', 'nothing was said')
      return `${words.split('\n').find((line) => /memory|FATAL/i.test(line)) ?? words.split('\n')[0]}; ${told.trim()}`
    },
  )
}
