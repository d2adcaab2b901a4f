import { mkdirSync, readFileSync, rmdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { newAccount, Registry } from '../../../../supervisor/accounts/registry.ts'
import { AccountStore, ACCOUNTS_FILE } from '../../../../supervisor/accounts/store.ts'
import { NEW_CHILD } from '../../../../supervisor/core/child-lifecycle.ts'
import { Wishes } from '../../../../supervisor/fleet/wishes.ts'
import { recordOf } from '../../../fixtures/http-service.ts'
import { captureLog } from '../../../fixtures/log-lines.ts'
import { ManualClock } from '../../../fixtures/manual-clock.ts'

t.test(
  'a wish that could not be saved is not on the disk by the next save, which began before it was taken back',
  async (t) => {
    const sessionsPath = t.testdir({})
    // Makes every save fail.
    const inTheWay = join(sessionsPath, `${ACCOUNTS_FILE}.prev`)
    const registry = new Registry(new ManualClock())
    registry.put(newAccount(recordOf('a'), NEW_CHILD))
    let saves = 0
    const store = new AccountStore(sessionsPath, () => {
      if (++saves === 3) rmdirSync(inTheWay)
      return registry.all().map(({ record }) => record)
    })
    const wishes = new Wishes(registry, store, captureLog().log)
    await wishes.save()
    mkdirSync(inTheWay)
    const changed = wishes.change('a', { desired: 'removed' })
    // Of somebody else, while the wish is on its way: it follows at once.
    const isUnderWay = (): boolean => saves === 2
    while (!isUnderWay()) await Promise.resolve()
    const other = wishes.save()
    await t.rejects(changed, { code: 'storage_unavailable' })
    await other
    t.equal(registry.get('a')?.record.desired, 'running')
    t.match(JSON.parse(readFileSync(join(sessionsPath, ACCOUNTS_FILE), 'utf8')), { accounts: [{ desired: 'running' }] })
  },
)
