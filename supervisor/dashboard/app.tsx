import type { VNode } from 'preact'
import { signal } from '@preact/signals'
import { OpenDialog } from './dialogs/open-dialog.tsx'
import { AccountPage } from './pages/account-page.tsx'
import { FleetPage } from './pages/fleet-page.tsx'
import { LoginPage } from './pages/login-page.tsx'
import { OnboardingPage } from './pages/onboarding-page.tsx'
import { SetAsidePage } from './pages/set-aside-page.tsx'
import { TokensPage } from './pages/tokens-page.tsx'
import { FeedLost } from './parts/feed-lost.tsx'
import { needs } from './parts/needs-you.tsx'
import { Toasts } from './parts/toasts.tsx'
import { feedState, fleet, isAdmin, role } from './store.ts'
import { dialog, place, type Place } from './ui.ts'

/** Why the login page is shown, where there is more to say than that. */
export const loginNotice = signal('')

export function App({ onLogin, onLogout }: { onLogin: () => void; onLogout: () => void }): VNode {
  if (role.value === undefined) return <FeedLost />
  if (role.value === null) return <LoginPage onLogin={onLogin} notice={loginNotice.value} />
  const isStale = feedState.value === 'lost' && fleet.value !== null
  return (
    <>
      <TopBar onLogout={onLogout} />
      <FeedLost />
      <main id="main" class={isStale ? 'is-stale' : ''} tabIndex={-1}>
        <Page place={place.value} />
      </main>
      <OpenDialog />
      {dialog.value === null && <Toasts />}
    </>
  )
}

function Page({ place: where }: { place: Place }): VNode {
  switch (where.name) {
    case 'fleet':
      return <FleetPage />
    case 'account':
      return <AccountPage key={where.accountId} accountId={where.accountId} />
    case 'onboarding':
      return <OnboardingPage />
    case 'set-aside':
      return <SetAsidePage />
    case 'tokens':
      return <TokensPage />
    default:
      return where satisfies never
  }
}

function TopBar({ onLogout }: { onLogout: () => void }): VNode {
  const scans = needs.value.filter(({ need }) => need.remedy === 'scan').length
  const { name } = place.value
  return (
    <header class="top">
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to content
      </a>
      <h1>
        <a href="#/">
          <img src="/icon.svg" alt="" width="24" height="24" />
          WhatsApp accounts
        </a>
      </h1>
      <nav aria-label="Pages">
        <NavLink href="#/" words="Accounts" isCurrent={name === 'fleet' || name === 'account'} />
        {isAdmin.value && (
          <NavLink href="#/onboarding" words="Onboarding" isCurrent={name === 'onboarding'} count={scans} />
        )}
        {isAdmin.value && <NavLink href="#/set-aside" words="Set aside" isCurrent={name === 'set-aside'} />}
        {isAdmin.value && <NavLink href="#/tokens" words="Tokens" isCurrent={name === 'tokens'} />}
      </nav>
      <FeedMark />
      {!isAdmin.value && <span class="badge">Read only</span>}
      <button type="button" class="bare" onClick={onLogout}>
        Log out
      </button>
    </header>
  )
}

function NavLink(props: { href: string; words: string; isCurrent: boolean; count?: number }): VNode {
  return (
    <a href={props.href} aria-current={props.isCurrent ? 'page' : undefined}>
      {props.words}
      {props.count !== undefined && props.count > 0 && <span class="badge number">{props.count}</span>}
    </a>
  )
}

/** The address's hash is the page that is open: the browser must not go there. */
function skipToMain(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>('#main')?.focus()
}

const FEED_WORDS = { connecting: 'Connecting', live: 'Live', lost: 'Lost' } as const

function FeedMark(): VNode {
  const state = feedState.value
  return (
    <span class={`feed is-${state}`} title="Whether what is shown is what is">
      <span class="feed-dot" aria-hidden="true" />
      {FEED_WORDS[state]}
    </span>
  )
}
