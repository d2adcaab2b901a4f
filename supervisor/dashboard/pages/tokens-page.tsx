import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { messageOf, request } from '../api.ts'
import type { Role, Token } from '../api-types.ts'
import { Age } from '../parts/times.tsx'
import { isAdmin } from '../store.ts'
import { dialog, tell } from '../ui.ts'

const ROLE_WORDS: Record<Role, string> = { admin: 'Everything', viewer: 'Read only, no QR codes' }

/** Tokens for programs, colleagues and wall screens: made here, shown once, revoked here. */
export function TokensPage(): VNode {
  const [tokens, setTokens] = useState<Token[] | null>(null)
  const [fresh, setFresh] = useState<{ name: string; token: string } | null>(null)
  const load = async (): Promise<void> => {
    try {
      setTokens((await request<{ tokens: Token[] }>('GET', '/api/tokens')).tokens)
    } catch (error) {
      tell('problem', messageOf(error))
    }
  }
  useEffect(() => void load(), [])
  if (!isAdmin.value) return <p class="nothing">This login can only look.</p>

  const revoke = ({ id, name }: Token): void => {
    dialog.value = {
      name: 'confirm',
      title: `Revoke ${name}?`,
      lines: ['Whatever uses this token is refused from now on; its open pages are logged out.'],
      button: `Revoke ${name}`,
      confirm: async () => {
        try {
          await request('DELETE', `/api/tokens/${encodeURIComponent(id)}`)
          tell('done', `${name} was revoked.`)
          await load()
        } catch (error) {
          tell('problem', messageOf(error))
        }
      },
    }
  }
  return (
    <section>
      <header class="page-head">
        <h2>Tokens</h2>
        <p class="faint">
          For programs, colleagues and wall screens. ADMIN_TOKEN of the environment is not among them.
        </p>
      </header>
      <NewToken
        onMade={(made) => {
          setFresh(made)
          void load()
        }}
      />
      {fresh !== null && (
        <div class="card fresh-token" role="status">
          <p>
            The token of <b>{fresh.name}</b>. Copy it now: it is not shown again.
          </p>
          <output>{fresh.token}</output>
        </div>
      )}
      {tokens?.length === 0 && <p class="nothing">No token was made yet.</p>}
      {tokens !== null && tokens.length > 0 && (
        <div class="card table-card">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">May</th>
                <th scope="col">Made</th>
                <th scope="col">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tokens.map((token) => (
                <tr key={token.id}>
                  <th scope="row">{token.name}</th>
                  <td>{ROLE_WORDS[token.role]}</td>
                  <td class="number">
                    <Age at={token.createdAt} />
                  </td>
                  <td>
                    <button type="button" class="is-danger" onClick={() => revoke(token)}>
                      Revoke
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

function NewToken({ onMade }: { onMade: (made: { name: string; token: string }) => void }): VNode {
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const [problem, setProblem] = useState('')
  const make = async (): Promise<void> => {
    try {
      const { token } = await request<{ token: string }>('POST', '/api/tokens', { name: name.trim(), role })
      onMade({ name: name.trim(), token })
      setName('')
      setProblem('')
    } catch (error) {
      setProblem(messageOf(error))
    }
  }
  return (
    <form
      class="card inline-form"
      onSubmit={(event) => {
        event.preventDefault()
        void make()
      }}
    >
      <label class="field">
        Name
        <input
          required
          maxLength={100}
          placeholder="Wall screen"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
      <label class="field">
        May
        <select value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
          <option value="viewer">{ROLE_WORDS.viewer}</option>
          <option value="admin">{ROLE_WORDS.admin}</option>
        </select>
      </label>
      <button type="submit" class="is-primary">
        Make a token
      </button>
      <p class="problem" role="alert">
        {problem}
      </p>
    </form>
  )
}
