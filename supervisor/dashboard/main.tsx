import { effect } from '@preact/signals'
import { render } from 'preact'
import { ApiError, messageOf, request } from './api.ts'
import type { FleetHistory, Role } from './api-types.ts'
import { App, loginNotice } from './app.tsx'
import type { FeedEvent } from './core/feed-events.ts'
import { Feed } from './feed.ts'
import { needs } from './parts/needs-you.tsx'
import { apply, applyHistory, feedState, forget, isAdmin, liveAtMs, logAccountId, nowMs, role, tick } from './store.ts'
import { dialog, place, placeOf } from './ui.ts'

/** The page: logs in, opens the feed, draws. What is on the screen is what the feed said last. */
const TICK_MS = 1000
/** Charts of messages are no part of the feed. */
const HISTORY_MS = 300_000

const feed = new Feed({
  onEvent(event: FeedEvent) {
    apply(event)
    if (event.name === 'snapshot') void loadHistory()
  },
  onState(state) {
    feedState.value = state
  },
  onLife() {
    liveAtMs.value = nowMs.peek()
  },
  onLoggedOut: () => leave('You were logged out.'),
})

async function loadHistory(): Promise<void> {
  try {
    applyHistory(await request<FleetHistory>('GET', '/api/whatsapp/history?hours=24'))
  } catch (error) {
    // Strips stay as they are; the feed says by itself when the service is gone.
    if (error instanceof ApiError && error.status === 401) leave('')
  }
}

async function enter(): Promise<void> {
  try {
    role.value = (await request<{ role: Role }>('GET', '/api/me')).role
    feedState.value = 'connecting'
    feed.start()
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return leave('')
    // The service is not there: the feed waits for it, and asks for the login when it is.
    role.value = undefined
    feedState.value = 'lost'
    setTimeout(() => void enter(), 2000)
  }
}

function leave(notice: string): void {
  feed.stop()
  dialog.value = null
  forget()
  loginNotice.value = notice
  feedState.value = 'connecting'
}

async function logOut(): Promise<void> {
  // The service ends the stream with the login, which is no loss.
  feed.stop()
  await request('POST', '/api/logout').catch(() => undefined)
  leave('')
}

/** The address that the terminal prints logs in once; the code leaves the address at once. */
async function redeemCode(): Promise<void> {
  const code = /^#login=(.+)$/.exec(location.hash)?.[1]
  if (code === undefined) return
  history.replaceState(null, '', '/')
  await request('POST', '/api/login', { code }).catch((error: unknown) => {
    loginNotice.value = messageOf(error)
  })
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches('input, textarea, select')
}

addEventListener('hashchange', () => {
  dialog.value = null
  place.value = placeOf(location.hash)
  scrollTo(0, 0)
  // Where a page of links would begin anew: whoever reads with their ears goes on with what is new.
  document.querySelector<HTMLElement>('#main')?.focus({ preventScroll: true })
})
addEventListener('online', () => feed.hurry())
document.addEventListener('visibilitychange', () => {
  tick()
  if (!document.hidden) feed.hurry()
})
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || isTyping(event.target) || dialog.peek() !== null) return
  const search = document.querySelector<HTMLInputElement>('#search')
  if (search === null) return
  event.preventDefault()
  search.focus()
})
effect(() => {
  feed.follow(isAdmin.value ? logAccountId.value : null)
})
effect(() => {
  const waiting = role.value === null ? 0 : needs.value.length
  document.title = waiting === 0 ? 'WhatsApp accounts' : `(${waiting}) WhatsApp accounts`
})
setInterval(tick, TICK_MS)
setInterval(() => {
  if (role.peek() !== null && feedState.peek() === 'live' && !document.hidden) void loadHistory()
}, HISTORY_MS)

const root = document.querySelector('#app')
if (root !== null) render(<App onLogin={() => void enter()} onLogout={() => void logOut()} />, root)
await redeemCode()
await enter()
