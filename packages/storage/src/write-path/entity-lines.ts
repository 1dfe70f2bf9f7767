import { assert, type EntityKind } from '@tandem/core';
import type { WriteOutcome } from '../replicated-table.ts';
import type { KnownRow, PendingWrite, WriteRequest } from './pending-write.ts';

/** The writes of one entity; the first of them is the one that is on its way. */
export interface EntityLine<K extends EntityKind> {
  readonly entityId: string;
  readonly waiting: PendingWrite<K>[];
  /** Undefined while it is being read. */
  known: KnownRow | undefined;
}

interface EntityLinesOptions<K extends EntityKind> {
  /** What the row is taken to be without asking the store. */
  readonly recall: (request: WriteRequest) => KnownRow | undefined;
  /** To end in `makeReady` or in `rejectAll`. */
  readonly read: (line: EntityLine<K>) => void;
  readonly onReady: () => void;
}

/** Who waits in a bucket, and who of them can be served, in order. */
export class EntityLines<K extends EntityKind> {
  readonly #options: EntityLinesOptions<K>;
  readonly #lines = new Map<string, EntityLine<K>>();
  #ready: EntityLine<K>[] = [];
  #waitingCount = 0;

  constructor(options: EntityLinesOptions<K>) {
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waitingCount;
  }

  get hasReady(): boolean {
    return this.#ready.length > 0;
  }

  add(pending: PendingWrite<K>): void {
    const { entityId } = pending.request;
    this.#waitingCount += 1;
    const line = this.#lines.get(entityId);
    if (line !== undefined) {
      line.waiting.push(pending);
      return;
    }
    const opened = { entityId, waiting: [pending], known: this.#options.recall(pending.request) };
    this.#lines.set(entityId, opened);
    this.#prepare(opened);
  }

  makeReady(line: EntityLine<K>): void {
    this.#ready.push(line);
    this.#options.onReady();
  }

  takeReady(countMax: number): EntityLine<K>[] {
    return this.#ready.splice(0, countMax);
  }

  /** To be served before all others. */
  putBack(lines: readonly EntityLine<K>[]): void {
    this.#ready.unshift(...lines);
  }

  head(line: EntityLine<K>): { readonly pending: PendingWrite<K>; readonly known: KnownRow } {
    const [pending] = line.waiting;
    const { known } = line;
    assert(pending !== undefined && known !== undefined, 'a line without a write or row is ready');
    return { pending, known };
  }

  resolve(line: EntityLine<K>, outcome: WriteOutcome<K>): void {
    line.waiting.shift()?.resolve(outcome);
    this.#advance(line);
  }

  reject(line: EntityLine<K>, error: unknown): void {
    line.waiting.shift()?.reject(error);
    this.#advance(line);
  }

  rejectAll(line: EntityLine<K>, error: unknown): void {
    this.#lines.delete(line.entityId);
    this.#waitingCount -= line.waiting.length;
    for (const pending of line.waiting.splice(0)) pending.reject(error);
  }

  /**
   * Looks at everybody who waits, and rejects who was found waiting `looksMax` times. Who stands at the head of a
   * line stays there, since a read or a transaction is on its way for it.
   */
  giveUp(looksMax: number, errorFor: (pending: PendingWrite<K>) => unknown): void {
    for (const { waiting } of this.#lines.values()) {
      for (const pending of waiting) {
        pending.looks += 1;
        if (pending.isGivenUp || pending.looks < looksMax) continue;
        pending.isGivenUp = true;
        pending.reject(errorFor(pending));
      }
      const left = waiting.filter(({ isGivenUp }, place) => place === 0 || !isGivenUp);
      this.#waitingCount -= waiting.length - left.length;
      if (left.length < waiting.length) waiting.splice(0, waiting.length, ...left);
    }
  }

  #advance(line: EntityLine<K>): void {
    this.#waitingCount -= 1;
    if (line.waiting.length === 0) this.#lines.delete(line.entityId);
    else this.#prepare(line);
  }

  #prepare(line: EntityLine<K>): void {
    if (line.known === undefined) this.#options.read(line);
    else this.makeReady(line);
  }
}
