import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { askForQr } from './ask-for-qr.ts'
import { accountPath, messageOf, request } from '../api.ts'
import type { Account } from '../api-types.ts'
import { linkState, type LinkState } from '../core/link-state.ts'
import { duration } from '../core/words.ts'
import { nowMs, signalsOf } from '../store.ts'
import { tell } from '../ui.ts'
import { StatusIcon } from './icon.tsx'

/** Everything that the person with the phone looks at: the code, how long it lives, the three steps, and the end of it. */
export function LinkPanel({ accountId }: { accountId: string }): VNode {
  const known = signalsOf(accountId)
  if (known === undefined) return <p>The account is gone.</p>
  const account = known.account.value
  const state = linkState(account, known.qr.value, nowMs.value)
  return (
    <div class="link">
      <div class="link-code" data-state={state.name}>
        <Code account={account} state={state} />
      </div>
      <div class="link-words">
        <p class="link-who">
          <b>{account.name}</b> <span class="faint number">{account.phone}</span>
        </p>
        {state.name === 'connected' ? (
          <p>This phone is linked. Nothing else is to be done.</p>
        ) : (
          <>
            <ol class="steps">
              <li>Open WhatsApp on this phone.</li>
              <li>
                Tap <b>Settings</b> (iPhone) or <b>⋮</b> (Android), then <b>Linked devices</b>.
              </li>
              <li>
                Tap <b>Link a device</b> and point the camera here.
              </li>
            </ol>
            <PairingCode account={account} />
          </>
        )}
        <p class="visually-hidden" role="status">
          {SPOKEN[state.name]}
        </p>
      </div>
    </div>
  )
}

const SPOKEN: Record<LinkState['name'], string> = {
  connected: 'Connected.',
  scan: 'A QR code is shown.',
  linking: 'Scanned. Connecting.',
  preparing: 'The QR code is being fetched.',
  idle: 'No QR code is shown.',
  blocked: 'The account can not be linked now.',
}

function Code({ account, state }: { account: Account; state: LinkState }): VNode {
  switch (state.name) {
    case 'connected':
      return (
        <div class="link-message is-connected">
          <StatusIcon status="connected" />
          <b>Connected</b>
        </div>
      )
    case 'scan':
      return (
        <>
          <img class="qr" src={state.qrCode} alt={`QR code of ${account.name}`} width="320" height="320" />
          <Life expiresAt={state.expiresAt} />
        </>
      )
    case 'linking':
      return <Waiting words="Scanned. Connecting…" />
    case 'preparing':
      return <Waiting words="Fetching a QR code…" />
    case 'idle':
      return (
        <div class="link-message">
          <p>{state.detail}</p>
          <button type="button" class="is-primary" autofocus onClick={() => void askForQr(account.accountId)}>
            Show a new QR code
          </button>
        </div>
      )
    case 'blocked':
      return (
        <div class="link-message">
          <p>{state.detail}</p>
        </div>
      )
    default:
      return state satisfies never
  }
}

function Waiting({ words }: { words: string }): VNode {
  return (
    <div class="link-message">
      <span class="spinner" aria-hidden="true" />
      <p>{words}</p>
    </div>
  )
}

/** A QR code lives for 20 to 60 s; the next one takes its place by itself. */
const LIFE_SCALE_MS = 60_000

function Life({ expiresAt }: { expiresAt: string | null }): VNode | null {
  if (expiresAt === null) return null
  const leftMs = Math.max(0, Date.parse(expiresAt) - nowMs.value)
  return (
    <p class="qr-life">
      <progress value={Math.min(leftMs, LIFE_SCALE_MS)} max={LIFE_SCALE_MS} aria-label="Life of this QR code" />
      <span class="faint">
        Renews by itself in <span class="number">{duration(leftMs)}</span>
      </span>
    </p>
  )
}

/** For a phone whose camera can't see this screen. */
function PairingCode({ account: { accountId, name } }: { account: Account }): VNode {
  const [code, setCode] = useState<{ of: string; text: string } | null>(null)
  const [isBusy, setBusy] = useState(false)
  const fetchCode = async (): Promise<void> => {
    setBusy(true)
    try {
      const answer = await request<{ code: string }>('POST', accountPath(accountId, '/pairing-code'))
      setCode({ of: accountId, text: answer.code })
    } catch (error) {
      tell('problem', messageOf(error))
    } finally {
      setBusy(false)
    }
  }
  if (code?.of === accountId) {
    return (
      <div class="pairing-code">
        <p>
          Or tap <b>Link with phone number instead</b> and type:
        </p>
        <output aria-label={`Pairing code of ${name}`}>{code.text}</output>
      </div>
    )
  }
  return (
    <p class="faint">
      No camera at hand?{' '}
      <button type="button" class="link-like" disabled={isBusy} onClick={() => void fetchCode()}>
        Use a pairing code
      </button>
    </p>
  )
}
