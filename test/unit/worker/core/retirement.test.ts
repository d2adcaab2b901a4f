import t from 'tap'
import {
  BUSY_FOR_MS,
  BUSY_SHARE,
  HEALTHY,
  judgeHealth,
  PATIENCE_MS,
  QUIET_MS,
  type HealthSample,
} from '../../../../worker/core/retirement.ts'

const LIMITS = { memoryLimitBytes: 100, minUptimeMs: 1000 }
const fine: HealthSample = { nowMs: 5000, uptimeMs: 5000, rssBytes: 50, cpuShare: 0, quietForMs: QUIET_MS }

const judge = (...samples: HealthSample[]): 'memory' | 'cpu' | null => {
  let health = HEALTHY
  let retire: 'memory' | 'cpu' | null = null
  for (const sample of samples) ({ health, retire } = judgeHealth(health, sample, LIMITS))
  return retire
}

const TABLE: [string, HealthSample[], 'memory' | 'cpu' | null][] = [
  ['a healthy process stays', [fine], null],
  ['one that has grown goes in a quiet moment', [{ ...fine, rssBytes: 101 }], 'memory'],
  ['also when no message ever came', [{ ...fine, rssBytes: 101, quietForMs: Number.POSITIVE_INFINITY }], 'memory'],
  ['not in the middle of messages', [{ ...fine, rssBytes: 101, quietForMs: QUIET_MS - 1 }], null],
  [
    'but when there is no quiet moment, after a while',
    [
      { ...fine, rssBytes: 101, quietForMs: 0 },
      { ...fine, rssBytes: 101, quietForMs: 0, nowMs: 5000 + PATIENCE_MS },
    ],
    'memory',
  ],
  [
    'unless it has shrunk meanwhile',
    [
      { ...fine, rssBytes: 101, quietForMs: 0 },
      { ...fine, quietForMs: 0, nowMs: 6000 },
      { ...fine, rssBytes: 101, quietForMs: 0, nowMs: 5000 + PATIENCE_MS },
    ],
    null,
  ],
  ['never soon after its start', [{ ...fine, rssBytes: 1000, uptimeMs: 999 }], null],
  [
    'one that is busy with nothing for minutes goes',
    [
      { ...fine, cpuShare: BUSY_SHARE },
      { ...fine, cpuShare: 1, nowMs: 5000 + BUSY_FOR_MS },
    ],
    'cpu',
  ],
  [
    'not when it rested in between',
    [
      { ...fine, cpuShare: BUSY_SHARE },
      { ...fine, nowMs: 6000 },
      { ...fine, cpuShare: 1, nowMs: 5000 + BUSY_FOR_MS },
    ],
    null,
  ],
  [
    'nor when messages keep it busy',
    [
      { ...fine, cpuShare: 1, quietForMs: 0 },
      { ...fine, cpuShare: 1, quietForMs: 0, nowMs: 5000 + BUSY_FOR_MS },
    ],
    null,
  ],
]
for (const [name, samples, expected] of TABLE) t.test(name, async (t) => t.equal(judge(...samples), expected))
