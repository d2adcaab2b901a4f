/** 2026-01-31T23-59-59Z: sorts by time and is a valid file name everywhere. */
export function timestamp(nowMs: number): string {
  return new Date(nowMs)
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/:/g, '-')
}

/** `wanted`, or `wanted-2`, `wanted-3` ... where that is taken. */
export function freeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted
  for (let count = 2; taken.has(name); count++) name = `${wanted}-${count}`
  return name
}
