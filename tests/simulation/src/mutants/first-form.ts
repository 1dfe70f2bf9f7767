import { CORE, type Mutant, STORAGE } from './mutant.ts';

const LANE = `${STORAGE}write-path/bucket-lane.ts`;
const COMMIT = `${STORAGE}write-path/commit-change-set.ts`;
const INBOUND = `${CORE}inbound/inbound.ts`;

/** The faults of the pattern's first form, each as it was. */
export const firstFormMutants: readonly Mutant[] = [
  {
    id: 'outbox-apart',
    title: 'the outbox row is written after the data row, in a transaction of its own',
    edits: [
      {
        file: COMMIT,
        find: 'return commitDefinitely({ ...place, operations: [...rows, ...outboxRows] }, entry, context);',
        replace:
          'const outcome = await commitDefinitely({ ...place, operations: rows }, entry, context);\n' +
          "    if (outcome.kind !== 'committed') return outcome;\n" +
          '    await context.commit({ ...place, operations: outboxRows });\n' +
          '    return outcome;',
      },
    ],
  },
  {
    id: 'sent-inline',
    title: 'a write is answered when the peer has its message, and fails when the peer is down',
    edits: [
      {
        file: LANE,
        find: 'this.#context.onCommitted(entry);',
        replace:
          'try { await (this.#context.onCommitted(entry) as unknown as Promise<void>); } ' +
          'catch (error) { return this.#onFailed(members, error); }',
      },
      {
        file: `${CORE}outbound/relay-queue.ts`,
        find: '    if (this.#isDraining || this.length >= this.#lengthMax) {\n',
        replace:
          '    const { relay } = this.#options;\n' +
          '    const sending = entry.owed.map((peer) => relay.send(peer, [entry]));\n' +
          '    if (!this.#isDraining) return Promise.all(sending).then(async (accepted) => {\n' +
          '      const isDown = accepted.some((one) => !one.has(entry));\n' +
          "      if (isDown) throw new TransientError('BUS_UNAVAILABLE', 'down');\n" +
          '      await relay.archive([entry]);\n' +
          '      await relay.finish([{ entry, owed: [] }]);\n' +
          '    }) as unknown as void;\n' +
          '    if (this.#isDraining || this.length >= this.#lengthMax) {\n',
      },
      {
        file: `${CORE}outbound/relay-queue.ts`,
        find: "import type { RelaySteps, SentEntry } from './relay.ts';",
        replace:
          "import type { RelaySteps, SentEntry } from './relay.ts';\n" +
          "import { TransientError } from '../errors.ts';",
      },
    ],
  },
  {
    id: 'archive-unordered',
    title: 'archive rows have keys that say nothing of their order',
    edits: [
      {
        file: `${STORAGE}tables/table-archive.ts`,
        find: 'part.flatMap((entry) => toInsertions(entry.set.stamp, entry));',
        replace:
          "part.flatMap((entry) => toInsertions(entry.set.stamp.split('').reverse().join(''), entry));",
      },
    ],
  },
  {
    id: 'messages-expire',
    title: 'messages expire after a while into the dead letters',
    edits: [
      {
        file: `${CORE}memory/memory-queue.ts`,
        find: '  #endLocks(): void {\n    const now = this.#options.nowMs();\n',
        replace:
          '  #endLocks(): void {\n    const now = this.#options.nowMs();\n' +
          '    for (const entry of [...this.#entries.values()]) {\n' +
          '      if (entry.lock !== undefined || now - entry.enqueuedAtMs < 20_000) continue;\n' +
          "      this.#deadLetter(entry, 'TTLExpiredException', 'The message has expired.');\n    }\n",
      },
    ],
  },
  {
    id: 'blind-upsert',
    title: 'whatever arrives overwrites the row, without a look at its version',
    edits: [
      {
        file: `${CORE}inbound/decide-apply.ts`,
        find: "if (isOld && !addsTo(stored.state, incoming.state)) return { kind: 'skip' };",
        replace: "if (stored !== undefined) return { kind: 'write', row: incoming };",
      },
    ],
  },
  {
    id: 'abandon-on-error',
    title: 'a batch that meets a transient error is given back at once, until it is dead-lettered',
    edits: [
      {
        file: INBOUND,
        find: 'const settlements = await applyMessages(messages, options, signal);',
        replace:
          'const settlements = await applyMessages(messages, options, signal).catch((): Settlement[] => []);',
      },
      {
        file: INBOUND,
        find: '  attemptsMax: Number.POSITIVE_INFINITY,\n',
        replace: '  attemptsMax: 1,\n',
      },
      {
        file: INBOUND,
        find: 'const applied = await whileDown(() => applyOrIsolate(sets, options), options, signal);',
        replace:
          'const applied = await whileDown(() => options.applier.apply(sets).then((results) => ({ results, isolated: new Map() })), options, signal);',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'types-lost',
    title: 'an Int64 is kept as text',
    edits: [
      {
        file: `${STORAGE}rows/entity-row.ts`,
        find: 'if (value !== null) properties.set(name, value);',
        replace:
          "if (value?.type === 'Int64') " +
          "properties.set(name, { type: 'String', value: String(value.value) });\n" +
          '    else if (value !== null) properties.set(name, value);',
      },
    ],
  },
  {
    id: 'always-healthy',
    title: 'health always says that all is well',
    seedsMax: 1_000,
    edits: [
      {
        file: `${CORE}readiness/decide-readiness.ts`,
        find: 'return reasons.length === 0 ?',
        replace: 'return reasons.length >= 0 ?',
      },
    ],
  },
  {
    id: 'one-partition',
    title: 'all entities lie in one partition',
    edits: [
      {
        file: `${CORE}entity-kind/bucket.ts`,
        find: 'return bucketName(((hash ^ (hash >>> 16)) >>> 0) % bucketCount);',
        replace: 'return bucketName(((hash ^ (hash >>> 16)) >>> 0) % Math.min(1, bucketCount));',
      },
    ],
  },
  {
    id: 'list-everything',
    title: 'a page of a list has everything in it',
    edits: [
      {
        file: `${STORAGE}read/list-entities.ts`,
        find: 'const room = limit - rows.length;',
        replace: 'const room = 1_000 + limit - limit;',
      },
    ],
  },
];
