/** ISO 8601 in UTC, as everywhere in the API. */
export function iso(epochMs: number): string
export function iso(epochMs: number | null): string | null
export function iso(epochMs: number | null): string | null {
  return epochMs === null ? null : new Date(epochMs).toISOString()
}
