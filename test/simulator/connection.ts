import { decodeBinaryNode, encodeBinaryNode, type BinaryNode, type proto } from '@whiskeysockets/baileys'
import type { WebSocket } from 'ws'
import type { ServerCertificate } from './certificate.ts'
import { encodeFrame, FrameReader } from './frames.ts'
import { NoiseServer } from './noise-server.ts'

/**
 * The life of a connection:
 *
 *   handshake --registration payload--> registering --scanned or code entered--> (stream error 515) closed
 *   handshake --login payload--> logging_in --success, active--> online
 *
 * `closed` is reached from everywhere and left for nothing.
 */
export type ConnectionState = 'handshake' | 'registering' | 'logging_in' | 'online' | 'closed'

export interface Hello {
  readonly clientKey: Buffer
  readonly payload: proto.ClientPayload
}

/** How the handshake goes, when not as usual. */
export interface HandshakePlan {
  readonly delayMs: number
  readonly answers: boolean
  readonly certificateChain: Buffer
}

export interface ConnectionHandlers {
  planHandshake(): HandshakePlan
  /** The client said who it is; frames that follow wait for the end of this. */
  onHello(connection: Connection, hello: Hello): void | Promise<void>
  onNode(connection: Connection, node: BinaryNode): void | Promise<void>
  /** The client broke the protocol, or a handler failed: the connection is being cut. */
  onFailure(connection: Connection, error: Error): void
  onClose(connection: Connection): void
}

/** Close code of the ws protocol for "going away". */
const GOING_AWAY = 1001

/** One client: its WebSocket, its Noise cipher, and who it is once it has said so. Handles its frames one after the other. */
export class Connection {
  readonly id: number
  readonly openedAtMs = Date.now()
  state: ConnectionState = 'handshake'
  /** Number and device of a login; known after the hello. */
  login: { readonly phone: string; readonly deviceId: number } | undefined
  readonly #socket: WebSocket
  readonly #handlers: ConnectionHandlers
  readonly #certificate: ServerCertificate
  readonly #reader = new FrameReader()
  readonly #noise = new NoiseServer()
  #stage: 'hello' | 'finish' | 'transport' = 'hello'
  #work: Promise<void> = Promise.resolve()
  #mute = false
  #delay: NodeJS.Timeout | undefined
  #endDelay: (() => void) | undefined

  constructor(id: number, socket: WebSocket, certificate: ServerCertificate, handlers: ConnectionHandlers) {
    this.id = id
    this.#socket = socket
    this.#certificate = certificate
    this.#handlers = handlers
    socket.on('message', (data: Buffer) => this.#receive(data))
    // An 'error' of ws is always followed by 'close', which is what counts here.
    socket.on('error', () => undefined)
    socket.on('close', () => this.#closed())
  }

  /** Sends a stanza; does nothing when the connection is closed or muted by a fault. */
  send(node: BinaryNode): void {
    this.sendPlaintext(encodeBinaryNode(node))
  }

  /** Encrypts and sends what need not be a stanza. */
  sendPlaintext(plaintext: Buffer): void {
    if (!this.#mute) this.sendFrame(() => this.#noise.encrypt(plaintext))
  }

  /** Sends a frame as it is, for frames that are wrong on purpose. */
  sendFrame(makeBody: () => Buffer): void {
    if (this.state !== 'closed' && this.#socket.readyState === this.#socket.OPEN) {
      this.#socket.send(encodeFrame(makeBody()))
    }
  }

  /** Sends a last stanza and closes; a connection that a fault has muted is cut, as it could do neither. */
  end(lastNode: BinaryNode): void {
    if (this.#mute) {
      this.drop()
      return
    }
    this.send(lastNode)
    this.close()
  }

  /** Resolves when nothing of what came is being worked on. */
  async settled(): Promise<void> {
    await this.#work
  }

  close(code: number = GOING_AWAY): void {
    this.#socket.close(code)
  }

  /** Cuts the TCP connection. */
  drop(): void {
    this.#socket.terminate()
  }

  /** From now on reads nothing and answers nothing, not even a close: a peer behind a dead link. */
  freeze(): void {
    this.#mute = true
    this.#socket.pause()
  }

  /** From now on answers nothing but a close: a server whose process hangs behind a live proxy. */
  silence(): void {
    this.#mute = true
  }

  #receive(data: Buffer): void {
    let frames: Buffer[]
    try {
      frames = this.#reader.push(data)
    } catch (error) {
      this.#fail(error)
      return
    }
    for (const frame of frames) {
      this.#work = this.#work.then(() => this.#handle(frame)).catch((error: unknown) => this.#fail(error))
    }
  }

  async #handle(frame: Buffer): Promise<void> {
    if (this.#mute || this.state === 'closed') return
    switch (this.#stage) {
      case 'hello': {
        const plan = this.#handlers.planHandshake()
        if (plan.delayMs > 0) await this.#pause(plan.delayMs)
        if (!plan.answers) {
          this.silence()
          return
        }
        const hello = this.#noise.answerHello(frame, this.#certificate.staticKeys, plan.certificateChain)
        this.#stage = 'finish'
        this.sendFrame(() => hello)
        return
      }
      case 'finish': {
        const hello = this.#noise.finish(frame)
        this.#stage = 'transport'
        await this.#handlers.onHello(this, hello)
        return
      }
      case 'transport':
        await this.#handlers.onNode(this, await decodeBinaryNode(this.#noise.decrypt(frame)))
        return
      default:
        this.#stage satisfies never
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#endDelay = resolve
      this.#delay = setTimeout(resolve, delayMs)
    })
  }

  #fail(error: unknown): void {
    if (this.state === 'closed') return
    this.#handlers.onFailure(this, error instanceof Error ? error : new Error(String(error)))
    this.drop()
  }

  #closed(): void {
    clearTimeout(this.#delay)
    this.#endDelay?.()
    this.state = 'closed'
    this.#handlers.onClose(this)
  }
}
