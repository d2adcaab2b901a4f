import type { KeyRing } from './seal.ts'

/** 90 s, 25 min, 7 h, 3 days: as exact as a person wants it. */
export function ageInWords(ageMs: number): string {
  const seconds = Math.max(0, Math.round(ageMs / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`
  return `${Math.floor(seconds / 86_400)} days`
}

export function sizeInWords(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}

/** Whether what a key of this id sealed can be opened here. */
export function keyInWords(keyId: string, { current, older }: KeyRing): string {
  if (keyId === current.id) return 'the present key'
  return older.some(({ id }) => id === keyId) ? 'an old key' : 'NOT CONFIGURED: give its key in BACKUP_OLD_KEYS'
}

/** Whether two messages differ in nothing but how long ago something was: then the second one is no news. */
export function isSameNews(before: string | null | undefined, message: string): boolean {
  const timeless = (text: string): string => text.replace(/\d+ (s|ms) ago/g, '')
  return before !== null && before !== undefined && timeless(before) === timeless(message)
}

/** What others wrote, without what would move a terminal's cursor. */
export function plainText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, ' ')
}
