import type { VNode } from 'preact'
import { act, copyJournalLine, isPaused, journalLine } from '../actions.ts'
import type { Account } from '../api-types.ts'
import { needOf, REMEDY_WORDS } from '../core/needs-you.ts'
import { bytes, percent } from '../core/words.ts'
import { AccountHistory } from '../parts/account-history.tsx'
import { AccountLog } from '../parts/account-log.tsx'
import { AccountMenu } from '../parts/account-menu.tsx'
import { Icon } from '../parts/icon.tsx'
import { StatusWords } from '../parts/status-words.tsx'
import { Strip } from '../parts/strip.tsx'
import { Age, Countdown, longTime } from '../parts/times.tsx'
import { feedState, isAdmin, signalsOf } from '../store.ts'
import { dialog } from '../ui.ts'

/** Everything about one account. */
export function AccountPage({ accountId }: { accountId: string }): VNode {
  const known = signalsOf(accountId)
  if (known === undefined) {
    return (
      <div class="nothing">
        <p>{feedState.value === 'live' ? `There is no account ${accountId} (any more).` : 'Loading…'}</p>
        <a href="#/">All accounts</a>
      </div>
    )
  }
  const account = known.account.value
  const admin = isAdmin.value
  return (
    <article class="account-page">
      <header class="page-head">
        <a class="button bare" href="#/" aria-label="All accounts">
          <Icon name="back" />
        </a>
        <div>
          <h2>{account.name}</h2>
          <p class="faint">
            <span class="number">{account.phone ?? 'phone unknown'}</span> · <code>{accountId}</code>
          </p>
        </div>
        {admin && <MainActions account={account} />}
      </header>

      <section class="card now" aria-label="Status">
        <p class="now-status">
          <StatusWords account={account} />
          <span class="faint">
            for <Age at={account.statusSince} />
          </span>
          {account.nextTryAt !== null && (
            <span class="next-try">
              Try {account.attempt + 1} in <Countdown to={account.nextTryAt} />
            </span>
          )}
        </p>
        <Words account={account} />
        <Strip segments={known.segments} width={720} />
        <p class="strip-hours faint number" aria-hidden="true">
          <span>24 h ago</span>
          <span>18 h</span>
          <span>12 h</span>
          <span>6 h</span>
          <span>now</span>
        </p>
      </section>

      <div class="columns">
        <Facts title="Messages" facts={messageFacts(account)} />
        <Facts title="Process" facts={processFacts(account)} />
        <Facts title="Backup" facts={backupFacts(account)} />
      </div>

      <AccountHistory accountId={accountId} statusSince={account.statusSince} />
      {admin && <AccountLog accountId={accountId} />}
      {admin && (
        <p class="journal faint">
          On the machine: <code>{journalLine(accountId)}</code>
          <button type="button" onClick={() => void copyJournalLine(accountId)}>
            <Icon name="copy" /> Copy
          </button>
        </p>
      )}
    </article>
  )
}

function MainActions({ account }: { account: Account }): VNode {
  const { accountId } = account
  const need = needOf(account)
  const paused = isPaused(account)
  return (
    <div class="page-actions">
      {(need?.remedy === 'scan' || need?.remedy === 'recover') && (
        <button
          type="button"
          class="is-primary"
          onClick={() => (dialog.value = { name: need.remedy === 'scan' ? 'qr' : 'recover', accountId })}
        >
          {REMEDY_WORDS[need.remedy]}
        </button>
      )}
      {!paused && (
        <button type="button" onClick={() => act('restart', [accountId])}>
          Restart
        </button>
      )}
      <button type="button" onClick={() => act(paused ? 'resume' : 'pause', [accountId])}>
        {paused ? 'Resume' : 'Pause'}
      </button>
      <AccountMenu account={account} isOwnPage />
    </div>
  )
}

function Words({ account }: { account: Account }): VNode {
  return (
    <>
      {account.detail !== null && <p>{account.detail}</p>}
      {account.todo !== null && (
        <p>
          <b>What to do:</b> {account.todo.message}
        </p>
      )}
      {account.notice !== null && (
        <p class="note is-warning">
          <Icon name="warning" />
          <span>
            {account.notice.message} <span class="faint">{longTime(account.notice.at)}</span>
          </span>
        </p>
      )}
    </>
  )
}

type FactList = readonly (readonly [name: string, value: string | VNode])[]

function Facts({ title, facts }: { title: string; facts: FactList }): VNode {
  return (
    <section class="card">
      <h3>{title}</h3>
      <dl class="fact-list">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class="number">{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

function messageFacts({ activity, messages, decryptFailures, lastEventAt }: Account): FactList {
  return [
    ['Last in', <Age at={activity.lastMessageInAt} />],
    ['Last out, acknowledged', <Age at={activity.lastAckedOutAt} />],
    ['In and out since the start', `${messages.in} · ${messages.out}`],
    ['Could not be decrypted', String(decryptFailures)],
    ['Last sign of life', <Age at={activity.lastFrameAt ?? lastEventAt} />],
  ]
}

function processFacts({ process, restarts24h, reconnectCount }: Account): FactList {
  return [
    ['State', process.pid === null ? process.state.replaceAll('_', ' ') : `${process.state}, pid ${process.pid}`],
    ['Up', <Age at={process.startedAt} />],
    ['Memory', bytes(process.rssBytes)],
    ['CPU', percent(process.cpuPercent)],
    ['Event loop delay', process.loopDelayMs === null ? '–' : `${Math.round(process.loopDelayMs)} ms`],
    ['Restarts in 24 h, crashes', `${restarts24h} · ${process.crashCount}`],
    ['Reconnects', String(reconnectCount)],
  ]
}

function backupFacts({ backup }: Account): FactList {
  if (backup === null) return [['Kept', 'No backups: FIRESTORE_PROJECT_ID is not set']]
  return [
    ['Saved', backup.savedAt === null ? 'never' : <Age at={backup.savedAt} />],
    ['Revision', backup.revision === null ? '–' : String(backup.revision)],
    ['Size, sealed', bytes(backup.bytes)],
    ['Changes since', backup.pending ? 'yes, waiting to be saved' : 'none'],
    ...(backup.error === null ? [] : [['Problem', backup.error] as const]),
  ]
}
