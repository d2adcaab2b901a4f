import type { VNode } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { Icon } from './icon.tsx'

export interface MenuItem {
  label: string
  run: () => void
  danger?: boolean
}

/** A button with a menu of its own: arrows, Home, End and Escape work as in any menu, and focus comes back to the button. */
export function Menu({ label, items }: { label: string; items: readonly MenuItem[] }): VNode {
  const [place, setPlace] = useState<{ top: number; right: number } | null>(null)
  const button = useRef<HTMLButtonElement>(null)
  const list = useRef<HTMLDivElement>(null)
  const isOpen = place !== null

  const open = (): void => {
    const box = button.current?.getBoundingClientRect()
    if (box === undefined) return
    // Upwards where it would not fit below.
    const tall = items.length * 34 + 12
    const top = box.bottom + tall > innerHeight ? Math.max(8, box.top - tall) : box.bottom + 2
    setPlace({ top, right: Math.max(8, innerWidth - box.right) })
  }
  const close = (giveFocusBack: boolean): void => {
    setPlace(null)
    if (giveFocusBack) button.current?.focus()
  }

  useEffect(() => {
    if (!isOpen) return
    focusOn(list.current, 0)
    const onOutside = (event: Event): void => {
      if (event.target instanceof Node && list.current?.contains(event.target)) return
      if (event.target instanceof Node && button.current?.contains(event.target)) return
      close(false)
    }
    document.addEventListener('pointerdown', onOutside)
    document.addEventListener('scroll', onOutside, true)
    return () => {
      document.removeEventListener('pointerdown', onOutside)
      document.removeEventListener('scroll', onOutside, true)
    }
  }, [isOpen])

  const onKey = (event: KeyboardEvent): void => {
    const count = items.length
    const at = [...(list.current?.children ?? [])].findIndex((child) => child === document.activeElement)
    const next = { ArrowDown: (at + 1) % count, ArrowUp: (at - 1 + count) % count, Home: 0, End: count - 1 }[event.key]
    if (next !== undefined) focusOn(list.current, next)
    else if (event.key === 'Escape') close(true)
    else if (event.key === 'Tab') return close(false)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <span class="menu-place">
      <button
        ref={button}
        type="button"
        class="bare menu-button"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        aria-label={label}
        onClick={() => (isOpen ? close(false) : open())}
      >
        <Icon name="more" />
      </button>
      {place !== null && (
        <div
          ref={list}
          class="menu"
          role="menu"
          aria-label={label}
          style={{ top: `${place.top}px`, right: `${place.right}px` }}
          onKeyDown={onKey}
        >
          {items.map(({ label: words, run, danger }) => (
            <button
              key={words}
              type="button"
              role="menuitem"
              tabIndex={-1}
              class={danger === true ? 'is-danger' : ''}
              onClick={() => {
                close(true)
                run()
              }}
            >
              {words}
            </button>
          ))}
        </div>
      )}
    </span>
  )
}

function focusOn(list: HTMLElement | null, index: number): void {
  const item = list?.children[index]
  if (item instanceof HTMLElement) item.focus()
}
