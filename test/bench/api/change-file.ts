/** In the sessions' directory of the bench: how often each account changes, ms. */
export const CHANGE_FILE = 'bench-change-every-ms'
