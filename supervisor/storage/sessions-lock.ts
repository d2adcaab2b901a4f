export interface SessionsLock {
  release(): Promise<void>
}
export async function lockSessions(_path: string): Promise<SessionsLock> {
  return { release: async () => undefined }
}
