import { LRUCache as StockCache } from 'lru-cache'

/** More entries than Baileys ever keeps where it names a limit; it names none for contacts. */
const MOST_ENTRIES = 4096

/**
 * Stands in for lru-cache in the bundle. Baileys asks for `ttlAutopurge`: a timer for each entry, up to three days, and each
 * timer keeps the async context it was made in alive, which is a whole finished transaction (some 8 KB a contact). Without
 * it an entry that is too old is dropped when it is looked at, or when newer ones need its place: hence a bound.
 */
export class LRUCache<K extends NonNullable<unknown>, V extends NonNullable<unknown>> extends StockCache<K, V> {
  constructor(options: StockCache.Options<K, V, unknown>) {
    const max = Math.min(options.max ?? MOST_ENTRIES, MOST_ENTRIES)
    super({ ...options, ttlAutopurge: false, max })
  }
}
