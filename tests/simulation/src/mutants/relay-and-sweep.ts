import { CORE, type Mutant, STORAGE } from './mutant.ts';

const RELAY = `${CORE}outbound/relay.ts`;
const QUEUE = `${CORE}outbound/relay-queue.ts`;
const SWEEP = `${CORE}outbound/sweep.ts`;

/** Faults of what carries change sets from the outbox to the archive and to the peers. */
export const relayMutants: readonly Mutant[] = [
  {
    id: 'outbox-deleted-before-send',
    title: 'the outbox row is deleted before the message is sent',
    edits: [
      {
        file: RELAY,
        find: 'const accepted = await send(archived, (entry, error) => stuck.set(entry, error));',
        replace:
          'await finish.remove(entries);\n' +
          '      const accepted = await send(archived, (entry, error) => stuck.set(entry, error));',
      },
      {
        file: QUEUE,
        find: '    for (const entry of batch) this.#spread(entry);',
        replace:
          '    await relay.finish(batch.map((entry) => ({ entry, owed: [] })));\n' +
          '    for (const entry of batch) this.#spread(entry);',
      },
    ],
  },
  {
    id: 'archive-after-delete',
    title: 'the archive is written after the outbox row is deleted',
    edits: [
      {
        file: RELAY,
        find: 'const unarchived = await archiveApart(finish, entries);',
        replace: 'const unarchived: Awaited<ReturnType<typeof archiveApart>> = new Map();',
      },
      {
        file: RELAY,
        find: '    archive: (entries) => finish.archive(entries),',
        replace: '    archive: async () => undefined,',
      },
      {
        file: RELAY,
        find: 'if (done.length > 0) await finish.remove(done);',
        replace: 'if (done.length > 0) await finish.remove(done);\n    await finish.archive(done);',
      },
    ],
  },
  {
    id: 'down-as-accepted',
    title: 'a peer that is down counts as having accepted',
    edits: [
      {
        file: RELAY,
        find: "return new Set(outcome === 'accepted' ? owed : []);",
        replace: 'return new Set(outcome === undefined ? [] : owed);',
      },
    ],
  },
  {
    id: 'park-forgets-peer',
    title: 'parking a change set forgets the peer that it is still owed to',
    edits: [
      {
        file: `${STORAGE}tables/table-outbox.ts`,
        find: 'const copies = owed.map(',
        replace: 'const copies = owed.slice(1).map(',
      },
    ],
  },
  {
    id: 'parked-never-swept',
    title: 'nobody looks at what was parked',
    edits: [
      {
        file: SWEEP,
        find: 'if (options.links.length < 2) return;',
        replace: 'if (options.links.length < 99) return;',
      },
    ],
  },
  {
    id: 'sweep-without-grace',
    title: 'the sweep takes rows from the process that is relaying them',
    edits: [
      {
        file: SWEEP,
        find: 'entry.prepared === undefined && isOlder(entry, graceMs);',
        replace: 'entry.prepared === undefined;',
      },
    ],
  },
  {
    id: 'sweep-waits-for-the-future',
    title: 'what a clock that ran ahead has committed is not swept before its time comes',
    edits: [
      {
        file: SWEEP,
        find: '|| isUndated(entry);',
        replace: '|| (isUndated(entry) && futureMs < 0);',
      },
    ],
  },
  {
    id: 'peers-wait-for-each-other',
    title: 'a peer that hangs is waited for as long as its calls take',
    edits: [
      {
        file: `${CORE}outbound/peer-link.ts`,
        find: 'const outcome = await within(failures === 0 ? BRIEF_MS : TRIAL_MS, work, clock);',
        replace: "const outcome: T | 'late' = await work;",
      },
      {
        file: QUEUE,
        find: 'laneOf((batch) => this.#send(peer, batch), this.#gather(peer)),',
        replace:
          'laneOf(\n' +
          '          (batch) => (this.#last = this.#last.then(() => this.#send(peer, batch))),\n' +
          '          this.#gather(peer),\n' +
          '        ),',
      },
      {
        file: QUEUE,
        find: '  #isDraining = false;',
        replace: '  #isDraining = false;\n  #last: Promise<void> = Promise.resolve();',
      },
    ],
  },
  {
    id: 'link-closed-by-wrong-clock',
    title: 'a backoff that began by a clock which ran ahead ends when that time comes',
    edits: [
      {
        file: `${CORE}outbound/peer-link.ts`,
        find: 'return waitMs <= 0 || waitMs > PEER_BACKOFF.delayMsMax;',
        replace: 'return waitMs <= 0;',
      },
    ],
  },
  {
    id: 'lease-held-by-wrong-clock',
    title: 'a lease taken by a clock that ran ahead is held until that time comes',
    edits: [
      {
        file: `${STORAGE}status/status-tables.ts`,
        find: 'const isFree = leftMs <= 0 || leftMs > durationMs + SKEW_MS_MAX;',
        replace: 'const isFree = leftMs <= 0;',
      },
    ],
    seedsMax: 400,
  },
  {
    id: 'relay-queue-unbounded',
    title: 'what waits for the relay in memory has no bound',
    edits: [
      {
        file: QUEUE,
        find: 'if (this.#isDraining || this.length >= this.#lengthMax) {',
        replace: 'if (this.#isDraining || this.#lengthMax < 0) {',
      },
      {
        file: QUEUE,
        find: 'if (lane === undefined || lane.waiting >= this.#laneMax) return true;',
        replace: 'if (lane === undefined || this.#laneMax < 0) return true;',
      },
    ],
  },
  {
    id: 'replay-ignores-time',
    title: 'a replay to a time goes on to the end',
    edits: [
      {
        file: `${STORAGE}recovery/archive-keeper.ts`,
        find: '...(beforeMs === undefined ? {} : { rowsBefore: stampPrefix(beforeMs) }),',
        replace: '...(beforeMs === undefined ? {} : {}),',
      },
    ],
  },
  {
    id: 'archive-append-overwrites',
    title: 'a change set that is delivered again is archived over what is there, erased or not',
    edits: [
      {
        file: `${STORAGE}tables/table-archive.ts`,
        find: '  if (own.set.changes.every(({ entityId }) => ids.has(entityId))) return undefined;',
        replace: '  if (own.set.changes.every(({ entityId }) => ids.has(entityId))) return own;',
      },
    ],
  },
];
