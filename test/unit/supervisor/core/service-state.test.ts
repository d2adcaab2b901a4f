import t from 'tap'
import { isSound, statusLine, STORAGE_SILENT_MS, type ServiceState } from '../../../../supervisor/core/service-state.ts'

const state = (change: Partial<ServiceState> = {}): ServiceState => ({
  phase: 'running',
  counts: { connected: 28, connecting: 0, disconnected: 0, needs_qr: 0 },
  trouble: null,
  storageProblem: null,
  storageAnsweredMs: 0,
  ...change,
})

const none = { connected: 0, connecting: 0, disconnected: 0, needs_qr: 0 }
const LINES: [Partial<ServiceState>, string][] = [
  [{}, '28/28 connected'],
  [
    { counts: { connected: 28, connecting: 0, disconnected: 1, needs_qr: 1 } },
    '28/30 connected, 1 disconnected, 1 needs QR',
  ],
  [{ counts: { ...none, connecting: 2 } }, '0/2 connected, 2 connecting'],
  [{ counts: none }, 'no accounts yet'],
  [{ phase: 'starting' }, 'Starting'],
  [{ phase: 'stopping' }, 'Stopping: 28 accounts flush'],
  [{ trouble: 'The network is away.' }, 'The network is away. | 28/28 connected'],
  [{ trouble: 'T.', storageProblem: 'the disk is full' }, 'STORAGE: the disk is full | T. | 28/28 connected'],
]
for (const [change, line] of LINES) t.test(line, async (t) => t.equal(statusLine(state(change)), line))

t.test('sound is a disk that answers, whatever it says', async (t) => {
  const limit = STORAGE_SILENT_MS
  t.ok(isSound(state(), limit - 1))
  t.notOk(isSound(state(), limit), 'one that hangs is not')
  t.ok(isSound(state({ storageAnsweredMs: limit, storageProblem: 'the disk is full' }), 2 * limit - 1))
  t.ok(isSound(state({ phase: 'stopping' }), 10 * limit), 'the way down has deadlines of its own')
})
