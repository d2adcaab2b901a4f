import { closeSync } from 'node:fs'

/**
 * Unix sockets that Node has no API for: datagrams (sd_notify, the journal's native protocol), and a stream that is
 * connected at once, to be given to a child as its output. koffi calls the C library that Node itself runs on. Linux alone.
 */
export interface UnixSockets {
  /** A datagram socket that is bound to nothing, kept from children. Throws where no descriptor is left. */
  openDatagram(): number
  /**
   * Never waits.
   * @param path of the receiver's socket; `@` in front: an abstract one
   * @returns 0, or the errno
   */
  sendTo(fd: number, datagram: Buffer, path: string): number
  /**
   * A connected stream with `head` written to it, or undefined where nobody accepts one at once. The caller closes it.
   */
  connectStream(path: string, head: Buffer): number | undefined
}

/** errno on Linux, for every processor that Node is built for. */
export const ERRNO = { noEntry: 2, again: 11, messageTooLong: 90, noBuffers: 105, connectionRefused: 111 } as const

const AF_UNIX = 1
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOCK_NONBLOCK = 0o4000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** sizeof(sockaddr_un.sun_path). */
const LONGEST_PATH = 108

interface Libc {
  socket: (domain: number, type: number, protocol: number) => number
  connect: (fd: number, address: Buffer, length: number) => number
  sendto: (fd: number, data: Buffer, size: number, flags: number, address: Buffer | null, length: number) => number
}

let loading: Promise<UnixSockets> | undefined

/** Loaded with the first use, once. Rejects where koffi has no build for this machine. */
export function loadUnixSockets(): Promise<UnixSockets> {
  loading ??= import('koffi').then(({ default: koffi }) => {
    const library = koffi.load(null)
    const libc: Libc = {
      socket: library.func('int socket(int, int, int)'),
      connect: library.func('int connect(int, const void *, unsigned int)'),
      sendto: library.func('intptr_t sendto(int, const void *, size_t, int, const void *, unsigned int)'),
    }
    return createUnixSockets(libc, () => koffi.errno())
  })
  return loading
}

function createUnixSockets(libc: Libc, errno: () => number): UnixSockets {
  const addresses = new Map<string, Buffer>()
  const addressOf = (path: string): Buffer => {
    const known = addresses.get(path) ?? encodeAddress(path)
    addresses.set(path, known)
    return known
  }
  const open = (type: number): number => {
    const fd = libc.socket(AF_UNIX, type | SOCK_CLOEXEC, 0)
    if (fd < 0) throw new Error(`No socket could be made: errno ${errno()}.`)
    return fd
  }
  return {
    openDatagram: () => open(SOCK_DGRAM),
    sendTo(fd, datagram, path) {
      const address = addressOf(path)
      const sent = libc.sendto(fd, datagram, datagram.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length)
      return sent < 0 ? errno() : 0
    },
    connectStream(path, head) {
      const address = addressOf(path)
      const fd = open(SOCK_STREAM | SOCK_NONBLOCK)
      if (libc.connect(fd, address, address.length) === 0) {
        // A fresh stream takes far more than a head at once.
        if (libc.sendto(fd, head, head.length, MSG_DONTWAIT | MSG_NOSIGNAL, null, 0) === head.length) return fd
      }
      closeSync(fd)
      return undefined
    },
  }
}

/** A sockaddr_un: the family in the machine's byte order, then the path and a zero, or a zero and an abstract name. */
function encodeAddress(path: string): Buffer {
  const isAbstract = path.startsWith('@')
  const name = isAbstract ? Buffer.from(`\0${path.slice(1)}`) : Buffer.from(`${path}\0`)
  if (name.length > LONGEST_PATH) throw new Error(`${path} is too long for a socket: ${LONGEST_PATH - 1} bytes.`)
  const family = Buffer.from(new Uint8Array(Uint16Array.of(AF_UNIX).buffer))
  return Buffer.concat([family, name])
}
