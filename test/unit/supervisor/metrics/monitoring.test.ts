import { readFileSync } from 'node:fs'
import t from 'tap'
import { NO_COUNTS } from '../../../../supervisor/accounts/registry.ts'
import { BEARER, recordOf, startHttpService, VIEWER } from '../../../fixtures/http-service.ts'

const file = (name: string): string =>
  readFileSync(new URL(`../../../../../systemd/monitoring/${name}`, import.meta.url), 'utf8')

t.test('the metrics say what is known of each account', async (t) => {
  const service = await startHttpService({
    sessionsPath: t.testdir({}),
    records: [{ ...recordOf('a'), name: 'Front "desk"\n' }, recordOf('b')],
    backups: {
      health: { state: 'ok', oldestUnsavedMs: 90_000 },
      viewOf: () => ({ revision: 1, savedAtMs: 1_700_000_000_000 - 60_000, bytes: 1, pending: true, error: null }),
      saveNow: () => [],
    },
  })
  t.teardown(service.stop)
  const { registry, app, clock } = service
  const account = registry.get('a')
  if (account === undefined) throw new Error('no account')
  registry.put({
    ...account,
    child: { state: { name: 'running', sinceMs: 0, heartbeatMs: 0, killed: false }, generation: 3, failures: 0 },
    connection: { status: 'connected', reason: null, code: null, attempt: 0, nextTryAtMs: null },
    process: {
      pid: 1,
      startedAtMs: 0,
      rssBytes: 5000,
      loopDelayMs: 20,
      cpu: { usedMs: 1500, atMonotonicMs: 1 },
      cpuPercent: 2,
      counted: NO_COUNTS,
    },
    cpuBeforeMs: 500,
    counts: { messagesIn: 7, messagesOut: 3, decryptFailures: 1 },
    activity: { ...account.activity, lastFrameAtMs: clock.nowMs() - 4000 },
    reconnectCount: 2,
    crashCount: 1,
    restartsAtMs: [clock.nowMs()],
  })
  const response = await app.inject({ url: '/metrics', headers: VIEWER })
  t.equal(response.statusCode, 200)
  t.match(response.headers['content-type'], 'text/plain')
  const lines = response.body.split('\n')
  for (const line of [
    'whatsapp_account_info{account="a",name="Front \\"desk\\"\\n"} 1',
    'whatsapp_account_up{account="a"} 1',
    'whatsapp_account_up{account="b"} 0',
    'whatsapp_account_status{account="a",status="connected"} 1',
    'whatsapp_account_status{account="a",status="needs_qr"} 0',
    'whatsapp_account_reason{account="b",reason="stopped"} 1',
    'whatsapp_account_reconnects_total{account="a"} 2',
    'whatsapp_account_last_frame_age_seconds{account="a"} 4',
    'whatsapp_account_messages_received_total{account="a"} 7',
    'whatsapp_account_messages_sent_total{account="a"} 3',
    'whatsapp_account_decrypt_failures_total{account="a"} 1',
    'whatsapp_account_memory_bytes{account="a"} 5000',
    'whatsapp_account_cpu_seconds_total{account="a"} 2',
    'whatsapp_account_event_loop_delay_seconds{account="a"} 0.02',
    'whatsapp_account_crashes_total{account="a"} 1',
    'whatsapp_account_restarts_24h{account="a"} 1',
    'whatsapp_account_backup_age_seconds{account="a"} 60',
    'whatsapp_backups_ok 1',
    'whatsapp_backups_oldest_unsaved_seconds 90',
    'whatsapp_fleet_accounts{status="connected"} 1',
    'whatsapp_fleet_permits_waiting 0',
    'whatsapp_fleet_connect_attempts_total 0',
    'whatsapp_fleet_boot_seconds 12.5',
  ]) {
    t.ok(lines.includes(line), line)
  }
  t.notMatch(response.body, '40712345678')
  registry.delete('b')
  const later = await app.inject({ url: '/metrics', headers: BEARER })
  t.notMatch(later.body, 'account="b"', 'an account that went leaves no series')
  t.ok(
    later.body.includes('whatsapp_account_messages_received_total{account="a"} 7'),
    'looking twice counts nothing twice',
  )

  await t.test('every metric that dashboard and alerts name is one of these, with its labels', async (t) => {
    const kinds = new Set([...later.body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name))
    for (const name of ['alerts.yml', 'grafana-dashboard.json']) {
      const named = [...new Set(file(name).match(/\bwhatsapp_[a-z0-9_]+/g))]
      t.ok(named.length > 10, name)
      for (const metric of named) t.ok(kinds.has(metric), `${name}: ${metric}`)
    }
    const alerts = file('alerts.yml')
    const count = (what: RegExp): number => [...alerts.matchAll(what)].length
    t.equal(count(/- alert: /g), 13)
    for (const part of [/^ +expr: /gm, /severity: (critical|warning)/g, /^ +summary: /gm, /^ +description: /gm]) {
      t.equal(count(part), 13, String(part))
    }
    const { panels } = JSON.parse(file('grafana-dashboard.json')) as {
      panels: { id: number; targets: { expr: string }[] }[]
    }
    t.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    t.ok(panels.every(({ targets }) => targets.every(({ expr }) => expr.includes('whatsapp_'))))
  })
})
