import { signal } from '@preact/signals'

/** What the person has open: where they are, which dialog, what was told to them last. */
export type Place =
  | { name: 'fleet' }
  | { name: 'account'; accountId: string }
  | { name: 'onboarding' }
  | { name: 'set-aside' }
  | { name: 'tokens' }

export type DialogWish =
  | { name: 'add' }
  | { name: 'qr'; accountId: string }
  | { name: 'rename'; accountId: string }
  | { name: 'recover'; accountId: string }
  | { name: 'confirm'; title: string; lines: string[]; button: string; confirm: () => Promise<void> }

export interface Toast {
  id: number
  kind: 'done' | 'problem'
  text: string
}

export const place = signal<Place>(placeOf(location.hash))
export const dialog = signal<DialogWish | null>(null)
export const toasts = signal<readonly Toast[]>([])

/** Long enough to be read twice; a problem stays until it is closed. */
const TOAST_MS = 6000
const MOST_TOASTS = 4
let lastToastId = 0

export function placeOf(hash: string): Place {
  const [name = '', id = ''] = hash.replace(/^#\/?/, '').split('/')
  if (name === 'accounts' && id !== '') return { name: 'account', accountId: decodeURIComponent(id) }
  if (name === 'onboarding' || name === 'set-aside' || name === 'tokens') return { name }
  return { name: 'fleet' }
}

export function accountHref(accountId: string): string {
  return `#/accounts/${encodeURIComponent(accountId)}`
}

export function tell(kind: Toast['kind'], text: string): void {
  const id = ++lastToastId
  toasts.value = [...toasts.value.filter((toast) => toast.text !== text), { id, kind, text }].slice(-MOST_TOASTS)
  if (kind === 'done') setTimeout(() => dismiss(id), TOAST_MS)
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((toast) => toast.id !== id)
}
