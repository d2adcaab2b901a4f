import type { VNode } from 'preact'
import { useState } from 'preact/hooks'
import { messageOf, request } from '../api.ts'
import type { AddResult } from '../api-types.ts'
import { parseAccounts, type LineError, type ParsedAccount } from '../core/parse-accounts.ts'
import { plural } from '../core/words.ts'
import { Icon } from './icon.tsx'

interface Outcome {
  added: AddResult[]
  errors: LineError[]
}

/**
 * One account or many, from one field: a line each. What can't be read is told by line before anything is sent, and what
 * the service refuses stays in the field, so that it can be mended.
 */
export function AddForm({ onAdded }: { onAdded: (added: AddResult[]) => void }): VNode {
  const [text, setText] = useState('')
  const [problem, setProblem] = useState('')
  const [refused, setRefused] = useState<LineError[]>([])
  const [isBusy, setBusy] = useState(false)
  const { accounts, errors } = parseAccounts(text)
  const isReady = accounts.length > 0 && errors.length === 0

  const submit = async (): Promise<void> => {
    setBusy(true)
    setProblem('')
    try {
      const outcome = await send(accounts)
      setRefused(outcome.errors)
      setText(outcome.errors.map((error) => error.text).join('\n'))
      if (outcome.errors.length === 0) onAdded(outcome.added)
    } catch (error) {
      setProblem(messageOf(error))
    } finally {
      setBusy(false)
    }
  }
  const onFile = async (file: File | undefined): Promise<void> => {
    if (file === undefined) return
    if (file.size > MOST_BYTES) return setProblem(`${file.name} is too large for a list of accounts.`)
    setText(await file.text())
  }
  const shownErrors = [...errors, ...(text === '' ? [] : refused)]
  return (
    <form
      class="add-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (isReady && !isBusy) void submit()
      }}
    >
      <label class="field">
        Name and phone with its country code, one account a line
        <textarea
          autofocus
          rows={6}
          spellcheck={false}
          placeholder={'Shop Cluj, +40 712 345 678\nShop Iași, +40 723 456 789'}
          value={text}
          aria-describedby="add-hint"
          onInput={(event) => {
            setText(event.currentTarget.value)
            setRefused([])
          }}
        />
      </label>
      <p class="faint" id="add-hint">
        Paste from a spreadsheet, or{' '}
        <label class="file link-like">
          choose a CSV file
          <input
            type="file"
            accept=".csv,.txt,text/csv,text/plain"
            onChange={(event) => void onFile(event.currentTarget.files?.[0])}
          />
        </label>
        . Columns: name, phone.
      </p>
      <ul class="line-errors" role="alert">
        {problem !== '' && <li>{problem}</li>}
        {shownErrors.slice(0, MOST_SHOWN).map(({ line, text: words, message }) => (
          <li key={`${line}${message}`}>
            <Icon name="warning" /> <b>Line {line}</b> <span class="faint">{words.slice(0, 60)}</span> {message}
          </li>
        ))}
        {shownErrors.length > MOST_SHOWN && <li>{shownErrors.length - MOST_SHOWN} more lines.</li>}
      </ul>
      <footer>
        <button type="submit" class="is-primary" disabled={!isReady || isBusy}>
          {isBusy ? 'Adding…' : accounts.length === 0 ? 'Add' : `Add ${plural(accounts.length, 'account')}`}
        </button>
      </footer>
    </form>
  )
}

const MOST_BYTES = 200_000
const MOST_SHOWN = 8

async function send(accounts: readonly ParsedAccount[]): Promise<Outcome> {
  const body = { accounts: accounts.map(({ name, phone }) => ({ name, phone })) }
  const { results } = await request<{ results: AddResult[] }>('POST', '/api/whatsapp/add-accounts', body)
  return {
    added: results.filter(({ outcome }) => outcome !== 'error'),
    errors: results.flatMap(({ name, phone, outcome, error }, index) =>
      outcome === 'error'
        ? [{ line: index + 1, text: `${name}, ${phone}`, message: error?.message ?? 'It was refused.' }]
        : [],
    ),
  }
}
