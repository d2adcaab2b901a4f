import { randomBytes } from 'node:crypto'
import type { Connection } from './connection.ts'
import type { ConnectionFault } from './faults.ts'
import { stanza } from './stanza.ts'

/** The one login failure that the service reports as a stream error. */
const RESTART_REQUIRED = 515

/** Does to a connection what the fault says. The connection's cipher must be in place. */
export function strike(connection: Connection, fault: ConnectionFault): void {
  switch (fault.kind) {
    case 'drop':
      connection.drop()
      return
    case 'close':
      connection.close(fault.code)
      return
    case 'freeze':
      connection.freeze()
      return
    case 'silence':
      connection.silence()
      return
    case 'stream_error':
      connection.end(streamError(fault))
      return
    case 'stream_end':
      connection.end(stanza('xmlstreamend'))
      return
    case 'downgrade':
      connection.end(stanza('ib', {}, [stanza('downgrade_webclient')]))
      return
    case 'corrupt_frame':
      // 16 bytes at least: shorter ones are refused before their tag is looked at. The connection is of no use afterwards.
      connection.sendFrame(() => randomBytes(48))
      connection.silence()
      return
    case 'unparsable_node':
      // No compression (0), then a list tag (0xf8) of one element whose tag is no token: 0xff is packed hex, cut short.
      connection.sendPlaintext(Buffer.of(0, 0xf8, 1, 0xff))
      return
    case 'fail_login':
      connection.end(
        fault.reason === RESTART_REQUIRED
          ? stanza('stream:error', { code: String(RESTART_REQUIRED) })
          : stanza('failure', { ...fault.attrs, reason: String(fault.reason) }),
      )
      return
    default:
      fault satisfies never
  }
}

function streamError({
  code,
  conflict,
  child,
}: Extract<ConnectionFault, { kind: 'stream_error' }>): ReturnType<typeof stanza> {
  const inside = [...(conflict ? [stanza('conflict', { type: conflict })] : []), ...(child ? [stanza(child)] : [])]
  return stanza(
    'stream:error',
    { code: code === undefined ? undefined : String(code) },
    inside.length > 0 ? inside : undefined,
  )
}
