import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { messageOf, request } from '../api.ts'

export function LoginPage({ onLogin, notice }: { onLogin: () => void; notice: string }): VNode {
  const [token, setToken] = useState('')
  const [problem, setProblem] = useState(notice)
  const [isBusy, setBusy] = useState(false)
  const submit = async (): Promise<void> => {
    setBusy(true)
    setProblem('')
    try {
      await request('POST', '/api/login', { token: token.trim() })
      onLogin()
    } catch (error) {
      setProblem(messageOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <main class="login">
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <img src="/icon.svg" alt="" width="40" height="40" />
        <h1>WhatsApp accounts</h1>
        <label class="field">
          Token
          <input
            name="token"
            type="password"
            autofocus
            required
            autocomplete="current-password"
            aria-describedby="token-hint token-problem"
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </label>
        <p class="problem" id="token-problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="is-primary" disabled={isBusy}>
          Log in
        </button>
        <p class="faint" id="token-hint">
          ADMIN_TOKEN, or what the service keeps in the file <code>admin-token</code> beside the sessions. A read-only
          token opens the page without QR codes and actions.
        </p>
      </form>
    </main>
  )
}
