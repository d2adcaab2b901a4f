import type { VNode } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { nameOf } from '../actions.ts'
import { accountPath, messageOf, request } from '../api.ts'
import type { SetAsideSession } from '../api-types.ts'
import { bytes, reasonWords } from '../core/words.ts'
import { Age } from '../parts/times.tsx'
import { isAdmin, signalsOf } from '../store.ts'
import { dialog, tell } from '../ui.ts'

/** Sessions that were logged out, refused, removed or replaced: none is deleted at once, and each can be put back. */
export function SetAsidePage(): VNode {
  const [sessions, setSessions] = useState<SetAsideSession[] | null>(null)
  const [problem, setProblem] = useState('')
  const load = async (): Promise<void> => {
    try {
      const answer = await request<{ sessions: SetAsideSession[] }>('GET', '/api/whatsapp/sessions/set-aside')
      setSessions(answer.sessions)
      setProblem('')
    } catch (error) {
      setProblem(messageOf(error))
    }
  }
  useEffect(() => void load(), [])
  if (!isAdmin.value) return <p class="nothing">This login can only look.</p>

  const putBack = ({ id, accountId, reason }: SetAsideSession): void => {
    const isLoggedOut = reason === 'logged_out'
    dialog.value = {
      name: 'confirm',
      title: `Put back this session of ${nameOf(accountId)}?`,
      lines: [
        'It becomes the session of the account; the present one, if there is any, is set aside in turn.',
        isLoggedOut
          ? 'WhatsApp has logged it out: it will not connect, and its phone has to scan again.'
          : 'It connects without a QR code. What is newer than this session is lost: some contacts need a retry.',
      ],
      button: 'Put back',
      confirm: async () => {
        try {
          await request('POST', accountPath(accountId, '/put-back'), { session: id })
          tell('done', `The session of ${nameOf(accountId)} was put back.`)
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
        <h2>Set aside</h2>
        <p class="faint">Sessions that are no account's any more. They are kept for a while, and can be put back.</p>
      </header>
      {problem !== '' && <p class="problem">{problem}</p>}
      {sessions?.length === 0 && <p class="nothing">No session was set aside.</p>}
      {sessions !== null && sessions.length > 0 && (
        <div class="card table-card">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Account</th>
                <th scope="col">Phone</th>
                <th scope="col">Why</th>
                <th scope="col">Since</th>
                <th scope="col">Size</th>
                <th scope="col">
                  <span class="visually-hidden">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {sessions.map((session) => (
                <tr key={session.id}>
                  <th scope="row">
                    {signalsOf(session.accountId) === undefined ? (
                      <code>{session.accountId}</code>
                    ) : (
                      nameOf(session.accountId)
                    )}
                  </th>
                  <td class="number">{session.phone ?? '–'}</td>
                  <td>{reasonWords(session.reason)}</td>
                  <td class="number">
                    <Age at={session.setAsideAt} />
                  </td>
                  <td class="number">{bytes(session.sizeBytes)}</td>
                  <td>
                    <button type="button" onClick={() => putBack(session)}>
                      Put back
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
