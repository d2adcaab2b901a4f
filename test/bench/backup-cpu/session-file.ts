/** The session of every account, in base64: what reading it costs is the worker's. */
export const SESSION_FILE = 'bench-session.base64'
