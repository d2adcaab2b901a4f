import t from 'tap'
import { oomCounters, openOomCounter } from '../../../../supervisor/fleet/oom-kills.ts'

t.test('the own control group of either version comes before the machine', async (t) => {
  t.strictSame(oomCounters('0::/system.slice/whatsapp-backend.service\n'), [
    '/sys/fs/cgroup/system.slice/whatsapp-backend.service/memory.events.local',
    '/sys/fs/cgroup/system.slice/whatsapp-backend.service/memory.events',
    '/proc/vmstat',
  ])
  t.strictSame(oomCounters('12:cpu,cpuacct:/a\n4:memory:/b/c\n1:name=systemd:/\n0::/\n'), [
    '/sys/fs/cgroup/memory/b/c/memory.oom_control',
    '/sys/fs/cgroup/memory/memory.oom_control',
    '/sys/fs/cgroup//memory.events.local',
    '/sys/fs/cgroup//memory.events',
    '/proc/vmstat',
  ])
  t.strictSame(oomCounters('3:hugetlb,memory:/d\n'), [
    '/sys/fs/cgroup/memory/d/memory.oom_control',
    '/sys/fs/cgroup/memory/memory.oom_control',
    '/proc/vmstat',
  ])
  t.strictSame(oomCounters(''), ['/proc/vmstat'])
})

t.test('of this machine it reads a count, or says that there is none', async (t) => {
  const count = openOomCounter()()
  t.ok(count === null || (Number.isInteger(count) && count >= 0), String(count))
})
