import type { ComponentChildren, VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { FeedLost } from '../parts/feed-lost.tsx'
import { Icon } from '../parts/icon.tsx'
import { Toasts } from '../parts/toasts.tsx'
import { dialog } from '../ui.ts'

/**
 * The browser's own modal dialog: it keeps the focus inside, closes with Escape, and gives the focus back to what opened
 * it. What has `autofocus` inside gets the focus first. Whatever is outside can neither be reached nor heard meanwhile, so
 * what is to be told is told inside.
 */
export function Dialog(props: { title: string; wide?: boolean; children: ComponentChildren }): VNode {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const opener = document.activeElement
    element.current?.showModal()
    return () => {
      // The browser gives the focus back where the element still is; where it was drawn anew, to the table's search.
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus()
      else document.querySelector<HTMLElement>('#search')?.focus()
    }
  }, [])
  return (
    <dialog
      ref={element}
      class={props.wide === true ? 'is-wide' : ''}
      aria-labelledby="dialog-title"
      onClose={closeDialog}
      onClick={(event) => event.target === element.current && closeDialog()}
    >
      <FeedLost />
      <div class="dialog-body">
        <header>
          <h2 id="dialog-title">{props.title}</h2>
          <button type="button" class="bare" aria-label="Close" onClick={closeDialog}>
            <Icon name="cross" />
          </button>
        </header>
        {props.children}
      </div>
      <Toasts />
    </dialog>
  )
}

export function closeDialog(): void {
  dialog.value = null
}
