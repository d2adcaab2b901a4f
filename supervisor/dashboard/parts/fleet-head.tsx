import type { VNode } from 'preact'
import { setConnectsPaused } from '../actions.ts'
import type { FleetFacts } from '../api-types.ts'
import { duration, plural, NOW_STATUSES, STATUS_WORDS, type NowStatus } from '../core/words.ts'
import { boot, fleet, isAdmin, nowMs, startedAtMs, wish } from '../store.ts'
import { ConnectedChart, MessagesChart, Progress } from './charts.tsx'
import { Icon, StatusIcon } from './icon.tsx'
import { Countdown, Since } from './times.tsx'

/** The first line: how the fleet is, and what it stands on. */
export function FleetHead(): VNode | null {
  const facts = fleet.value
  if (facts === null) return null
  return (
    <section class="fleet-head" aria-label="Fleet">
      <Counts facts={facts} />
      <dl class="facts">
        <Fact
          name="Storage"
          value={facts.storage.writable ? 'Writable' : 'Not writable'}
          bad={!facts.storage.writable}
        />
        <Fact
          name="Backups"
          value={FIRESTORE_WORDS[facts.firestore.state]}
          bad={facts.firestore.state === 'degraded'}
        />
        <Fact name="Up" value={<Since ms={startedAtMs.value} />} />
        <Fact name="Version" value={facts.service.version} />
      </dl>
      <div class="charts">
        <ConnectedChart />
        <MessagesChart />
      </div>
    </section>
  )
}

const FIRESTORE_WORDS = { ok: 'Firestore ok', degraded: 'Firestore degraded', disabled: 'Off' } as const

function Fact({ name, value, bad = false }: { name: string; value: string | VNode; bad?: boolean }): VNode {
  return (
    <div class={bad ? 'is-bad' : ''}>
      <dt>{name}</dt>
      <dd>
        {bad && <Icon name="warning" />}
        {value}
      </dd>
    </div>
  )
}

/** Each count is a filter of the table as well. */
function Counts({ facts: { summary } }: { facts: FleetFacts }): VNode {
  const disconnected = summary.disconnected - summary.paused
  const counts: Record<NowStatus, number> = { ...summary, disconnected }
  return (
    <ul class="counts">
      {NOW_STATUSES.map((status) => (
        <li key={status}>
          <Count status={status} count={counts[status]} total={summary.total} />
        </li>
      ))}
    </ul>
  )
}

function Count({ status, count, total }: { status: NowStatus; count: number; total: number }): VNode {
  const isOn = wish.value.status === status
  const toggle = (): void => {
    wish.value = { ...wish.value, status: isOn ? null : status }
  }
  const isQuiet = count === 0 && status !== 'connected'
  return (
    <button
      type="button"
      class={`count is-${status}${isQuiet ? ' is-quiet' : ''}`}
      aria-pressed={isOn}
      onClick={toggle}
    >
      <span class="count-number number">
        {count}
        {status === 'connected' && <small> of {total}</small>}
      </span>
      <span class="count-words">
        <StatusIcon status={status} />
        {STATUS_WORDS[status]}
      </span>
    </button>
  )
}

/** What concerns all accounts at once, in plain words; nothing where all is well. */
export function FleetNews(): VNode | null {
  const facts = fleet.value
  if (facts === null) return null
  const { trouble, storage, firestore, connectsPaused, restarting, actions, service } = facts
  const booting = boot.value
  return (
    <div class="news">
      {service.status === 'stopping' && <Note bad text="The service is stopping." />}
      {!storage.writable && (
        <Note
          bad
          text={`The disk under ${storage.path} takes no writes: sessions are kept as they were. Make room, or mend the volume.`}
        />
      )}
      {booting !== null && (
        <p class="note">
          <span>
            Starting: <b class="number">{booting.connected}</b> of {plural(booting.total, 'account')} connected
            {booting.remainingMs !== null && `, about ${duration(booting.remainingMs)} left`}.
          </span>
          <Progress done={booting.settled} total={booting.total} label="Starting" />
        </p>
      )}
      {trouble !== null && trouble.kind !== 'connects_paused' && (
        <p class="note is-warning">
          <Icon name="warning" />
          <span>
            {trouble.message}{' '}
            {trouble.nextProbeAt !== null && Date.parse(trouble.nextProbeAt) > nowMs.value && (
              <>
                Next try in <Countdown to={trouble.nextProbeAt} />.
              </>
            )}{' '}
            <span class="faint">Since {duration(nowMs.value - Date.parse(trouble.since))}.</span>
          </span>
        </p>
      )}
      {connectsPaused && (
        <p class="note is-warning">
          <Icon name="warning" />
          <span>All connects are paused by the operator: nothing that is down comes back before they are resumed.</span>
          {isAdmin.value && (
            <button type="button" onClick={() => void setConnectsPaused(false)}>
              Resume connects
            </button>
          )}
        </p>
      )}
      {firestore.state === 'degraded' && (
        <Note
          text={`Backups don't get through to Firestore${firestore.oldestUnsavedMs === null ? '' : `: the oldest change without one is ${duration(firestore.oldestUnsavedMs)} old`}. Accounts stay connected.`}
        />
      )}
      {restarting !== null && (
        <p class="note">
          <span>
            Restarting all: <b class="number">{restarting.done}</b> of {plural(restarting.total, 'account')}.
          </span>
          <Progress done={restarting.done} total={restarting.total} label="Restarting all" />
        </p>
      )}
      {actions.map(({ id, action, done, total, failed }) => (
        <p class="note" key={id}>
          <span>
            {ACTION_WORDS[action]}: <b class="number">{done}</b> of {plural(total, 'account')}
            {failed > 0 && `, ${failed} failed`}.
          </span>
          <Progress done={done} total={total} label={ACTION_WORDS[action]} />
        </p>
      ))}
    </div>
  )
}

const ACTION_WORDS = {
  restart: 'Restarting',
  pause: 'Pausing',
  resume: 'Resuming',
  pair: 'Asking for QR codes',
  logout: 'Logging out',
  remove: 'Removing',
} as const

function Note({ text, bad = false }: { text: string; bad?: boolean }): VNode {
  return (
    <p class={`note ${bad ? 'is-bad' : 'is-warning'}`}>
      <Icon name="warning" />
      <span>{text}</span>
    </p>
  )
}
