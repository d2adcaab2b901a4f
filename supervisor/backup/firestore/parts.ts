import type { DocumentReference, Firestore } from 'firebase-admin/firestore'
import type { Claim } from '../target.ts'
import { MARK_FIELDS, parseMark, type Paths, type SlotMark } from './documents.ts'

/** Firestore takes 500 writes in a batch, 10 MiB in a request. */
const DELETES_AT_ONCE = 400

/** The documents that hold what a slot does not: found by the name that they are parts of, whatever slot they were for. */
export class Parts {
  readonly #db: Firestore
  readonly #paths: Paths

  constructor(db: Firestore, paths: Paths) {
    this.#db = db
    this.#paths = paths
  }

  async deleteAll(name: string): Promise<void> {
    await this.#delete((await this.#of(name)).map(({ ref }) => ref))
  }

  /** Those of one revision. */
  async deleteOf(name: string, mark: SlotMark): Promise<void> {
    const numbers = Array.from({ length: mark.parts }, (_, at) => at)
    await this.#delete(numbers.map((at) => this.#db.doc(this.#paths.part(name, mark, at))))
  }

  /**
   * Deletes every part that no slot has: writes that broke off left them, in this process or in one before. Those of a
   * later claim are left alone: their slot may be about to be written.
   */
  async sweep({ name, epoch }: Claim): Promise<void> {
    const slots = this.#paths.slots(name).map((path) => this.#db.doc(path))
    const marks = await this.#db.getAll(...slots, { fieldMask: [...MARK_FIELDS] })
    const kept = new Set(marks.flatMap((slot) => parseMark(slot)?.sha256 ?? []))
    const orphans = (await this.#of(name)).filter((part) => part.epoch <= epoch && !kept.has(part.sha256))
    await this.#delete(orphans.map(({ ref }) => ref))
  }

  async #of(name: string): Promise<{ ref: DocumentReference; epoch: number; sha256: string }[]> {
    const found = await this.#db
      .collection(this.#paths.sessions)
      .where('partOf', '==', name)
      .select('epoch', 'sha256')
      .get()
    return found.docs.map((part) => ({
      ref: part.ref,
      epoch: Number(part.get('epoch')),
      sha256: String(part.get('sha256')),
    }))
  }

  async #delete(refs: readonly DocumentReference[]): Promise<void> {
    for (let at = 0; at < refs.length; at += DELETES_AT_ONCE) {
      const batch = this.#db.batch()
      for (const ref of refs.slice(at, at + DELETES_AT_ONCE)) batch.delete(ref)
      await batch.commit()
    }
  }
}
