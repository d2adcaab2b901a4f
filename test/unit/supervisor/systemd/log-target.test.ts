import t from 'tap'
import type { LogFormat } from '../../../../supervisor/config.ts'
import { chooseTarget, leadsToJournal, type Surroundings } from '../../../../supervisor/systemd/log-target.ts'

const pipe: Surroundings = { isTerminal: false, isColourless: false, leadsToJournal: false }
const terminal = { ...pipe, isTerminal: true }
const service = { ...pipe, leadsToJournal: true }

const CHOICES: [LogFormat, Surroundings, string][] = [
  ['auto', pipe, 'json'],
  ['auto', terminal, 'pretty in colours'],
  ['auto', { ...terminal, isColourless: true }, 'pretty'],
  ['auto', service, 'journal at /run/j'],
  ['json', service, 'json'],
  ['json', terminal, 'json'],
  ['pretty', pipe, 'pretty'],
  ['journal', pipe, 'journal at /run/j'],
]
for (const [format, around, wanted] of CHOICES) {
  t.test(`${format} ${JSON.stringify(around)}`, async (t) => {
    const target = chooseTarget(format, '/run/j', around)
    const text =
      target.kind === 'journal'
        ? `journal at ${target.directory}`
        : target.kind === 'pretty' && target.colour
          ? 'pretty in colours'
          : target.kind
    t.equal(text, wanted)
  })
}

t.test('an output that is not the one systemd connected leads elsewhere', async (t) => {
  for (const text of [undefined, null, '', '1:2', 'nonsense']) t.notOk(leadsToJournal(text))
})
