import { CORE, type Mutant, STORAGE } from './mutant.ts';

const DECIDE = `${CORE}inbound/decide-apply.ts`;
const TO_BUCKET = `${CORE}inbound/apply-change-sets.ts`;
const APPLY = `${CORE}inbound/apply-change-sets.ts`;
const INBOUND = `${CORE}inbound/inbound.ts`;
const ISOLATE = `${CORE}inbound/isolate-fault.ts`;
const MERGE = `${CORE}state/merge.ts`;

/** Faults of receiving, merging and collecting. */
export const applyMutants: readonly Mutant[] = [
  {
    id: 'concurrent-overwrites',
    title: 'of two concurrent changes the one that arrives last wins whole',
    edits: [
      {
        file: DECIDE,
        find: 'row: mergeRows(stored, incoming),',
        replace: 'row: mergeRows(incoming, incoming),',
      },
    ],
  },
  {
    id: 'merge-drops-field',
    title: 'a merge drops a field',
    edits: [
      {
        file: MERGE,
        find: 'for (const [name, field] of b.fields) {',
        replace: 'for (const [name, field] of [...b.fields].slice(1)) {',
      },
    ],
  },
  {
    id: 'merge-keeps-earlier',
    title: 'a merge keeps the field with the smaller stamp',
    edits: [
      {
        file: MERGE,
        find: 'return a.stamp > b.stamp ? a : b;',
        replace: 'return a.stamp < b.stamp ? a : b;',
      },
    ],
  },
  {
    id: 'covers-any',
    title: 'a state that contains some of another counts as containing all of it',
    edits: [
      {
        file: `${CORE}state/version-vector.ts`,
        find: 'for (const stamp of b.values()) if (!hasSeen(a, stamp)) return false;\n  return true;',
        replace:
          'for (const stamp of b.values()) if (hasSeen(a, stamp)) return true;\n  return false;',
      },
    ],
  },
  {
    id: 'reference-of-the-older',
    title: 'a merged row refers to the older of the two changes',
    edits: [
      {
        file: DECIDE,
        find: 'newest(a) >= newest(b) ? a.referenceId : b.referenceId',
        replace: 'newest(a) < newest(b) ? a.referenceId : b.referenceId',
      },
    ],
  },
  {
    id: 'complete-before-apply',
    title: 'messages are completed before they are applied',
    edits: [
      {
        file: INBOUND,
        find: 'const settlements = await applyMessages(messages, options, signal);',
        replace:
          "for (const message of messages) await receiver.settle(message, { kind: 'complete' });\n" +
          '    const settlements = await applyMessages(messages, options, signal);',
      },
    ],
  },
  {
    id: 'dead-letter-on-outage',
    title: 'an outage of the store dead-letters what was received',
    edits: [
      {
        file: INBOUND,
        find: 'const settlements = await applyMessages(messages, options, signal);',
        replace:
          'const settlements = await applyMessages(messages, options, signal).catch((): Settlement[] =>\n' +
          "      messages.map(() => ({ kind: 'dead-letter', reason: 'TABLE_UNAVAILABLE', description: '' })));",
      },
      {
        file: INBOUND,
        find: '  attemptsMax: Number.POSITIVE_INFINITY,\n',
        replace: '  attemptsMax: 2,\n',
      },
    ],
  },
  {
    id: 'applied-not-archived',
    title: 'what is applied is not archived',
    edits: [
      {
        file: APPLY,
        find: 'await archive.append(known.flatMap((one) => toArchive(one, results.get(one.key))));',
        replace:
          'await archive.append(known.slice(1).flatMap((one) => toArchive(one, results.get(one.key))));',
      },
    ],
  },
  {
    id: 'conflict-after-rows',
    title: 'a conflict is recorded after the rows are merged, when a repetition no longer sees it',
    edits: [
      {
        file: TO_BUCKET,
        find: 'if (conflicts.length > 0) await options.conflicts.record(conflicts);',
        replace: '',
      },
      {
        file: TO_BUCKET,
        find: 'for (const conflict of conflicts) options.onConflict?.(conflict);',
        replace: 'if (conflicts.length > 0) await options.conflicts.record(conflicts);',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'conflict-without-loser',
    title: 'a conflict names the winning value as the losing one',
    edits: [
      {
        file: `${CORE}model/conflict.ts`,
        find: 'const loser = winner === own ? other : own;',
        replace: 'const loser = winner === own ? own : other;',
      },
    ],
  },
  {
    id: 'conflict-named-by-stamps',
    title: 'of the conflicts between two transactions only one is kept',
    edits: [
      {
        file: `${STORAGE}tables/table-conflict-journal.ts`,
        find: 'const entity = encodeRowKey(entityId);',
        replace: 'const entity = encodeRowKey(entityId.slice(0, 0));',
      },
    ],
  },
  {
    id: 'rows-in-any-bytes',
    title: 'the same state is written in other bytes where its fields came in another order',
    edits: [
      {
        file: `${STORAGE}rows/entity-row.ts`,
        find: 'namesByStamp.get(stamp)!.sort();',
        replace: 'namesByStamp.get(stamp)!;',
      },
    ],
  },
  {
    id: 'fold-keeps-last',
    title: 'of several changes of one entity in a batch only the last is applied',
    edits: [
      {
        file: TO_BUCKET,
        find: 'for (const { set, change } of changes) {',
        replace: 'for (const { set, change } of changes.slice(-1)) {',
      },
    ],
  },
  {
    id: 'poison-blocks',
    title: 'a message that cannot be decoded fails the batch that it came in',
    edits: [
      {
        file: INBOUND,
        find: "return { kind: 'settled', settlement: settlementFor(error) };",
        replace: 'throw error;',
      },
      {
        file: INBOUND,
        find: 'unreadable.push({ error: one.error });',
        replace: 'throw one.error;',
      },
    ],
  },
  {
    id: 'newer-wire-accepted',
    title: 'a change of a newer wire version is read as if it were of this one',
    edits: [
      {
        file: `${CORE}wire/change-set-bytes.ts`,
        find: 'if (json.wire > NEWEST_WIRE_VERSION) {',
        replace: 'if (json.wire > NEWEST_WIRE_VERSION + 1_000) {',
      },
      {
        file: `${CORE}wire/change-set-bytes.ts`,
        find: 'if (!PLAIN_WIRE_VERSIONS.has(wire)) {',
        replace: 'if (wire < WIRE_VERSION) {',
      },
    ],
  },
  {
    id: 'unknown-kind-swallowed',
    title: 'a change of an unknown kind is completed in silence',
    edits: [
      {
        file: `${CORE}arrival/judge-change-set.ts`,
        find: 'return { sound: undefined, refusal: unknownKind(set.entityKind, entityIds) };',
        replace:
          'return { sound: undefined, refusal: undefined && unknownKind(set.entityKind, entityIds) };',
      },
    ],
  },
  {
    id: 'tombstone-collected-early',
    title: 'tombstones are collected long before they are old enough',
    edits: [
      {
        file: `${CORE}retention/retention-horizon.ts`,
        find: 'return provenMs(input, input.passedMs, input.ageMs);',
        replace: 'return provenMs(input, input.passedMs, input.ageMs / 60);',
      },
    ],
    seedsMax: 400,
  },
  {
    id: 'old-change-revives',
    title: 'a change older than every tombstone is applied where there is no row',
    edits: [
      {
        file: DECIDE,
        find: 'return newest === undefined || stampTimeMs(newest) <',
        replace: 'return newest === undefined || 1e15 + stampTimeMs(newest) <',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'older-life-joins',
    title:
      'a change of an older life is merged into the row that was made since its tombstone went',
    edits: [
      {
        file: DECIDE,
        find: 'every((stamp) => stampTimeMs(stamp) >= horizonMs)',
        replace: 'every((stamp) => stampTimeMs(stamp) >= 1e15 + horizonMs)',
      },
    ],
    seedsMax: 2_000,
  },
  {
    id: 'isolated-by-one-probe',
    title: 'a store that fails now and then is taken for a set that it never takes',
    edits: [
      {
        file: ISOLATE,
        find: 'const count = PROBES_PER_FAILURE + Math.min(set.changes.length, CHANGES_PROBED_MAX);',
        replace: 'const count = 1;',
      },
    ],
  },
  {
    id: 'bucket-not-judged',
    title: 'a change set is taken for a bucket that is not its entities own',
    edits: [
      {
        file: `${CORE}arrival/judge-change-set.ts`,
        find: 'replica.bucketOf(entityId) !== bucket);',
        replace: 'replica.bucketOf(entityId) === undefined && bucket.length > 99);',
      },
    ],
  },
];
