import type { VNode } from 'preact'
import { duration } from '../core/words.ts'
import { feedState, liveAtMs, nowMs } from '../store.ts'
import { Icon } from './icon.tsx'

/** Says so when the page can't vouch for what it shows. */
export function FeedLost(): VNode {
  const isLost = feedState.value === 'lost'
  return (
    <div role="alert">
      {isLost && (
        <p class="feed-lost">
          <Icon name="warning" />
          <span>
            The service does not answer.{' '}
            {liveAtMs.value > 0 && (
              <>
                What is shown is <span class="number">{duration(Math.max(0, nowMs.value - liveAtMs.value))}</span>{' '}
                old.{' '}
              </>
            )}
            It is asked again by itself.
          </span>
        </p>
      )}
    </div>
  )
}
