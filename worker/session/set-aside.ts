export async function setAside(_: {
  dir: string
  sessionsPath: string
  reason: string
  nowMs: number
}): Promise<string> {
  throw new Error('stub')
}
