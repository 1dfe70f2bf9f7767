import { CORE, type Mutant, STORAGE } from './mutant.ts';

const RELAY = `${CORE}outbound/relay.ts`;
const INBOUND = `${CORE}inbound/inbound.ts`;
const KEEPER = `${STORAGE}recovery/archive-keeper.ts`;
const FRAGMENTS = `${STORAGE}tables/table-fragments.ts`;
const OUTBOX = `${STORAGE}tables/table-outbox.ts`;
const ROWS = `${STORAGE}rows/set-rows.ts`;
const COMMIT = `${STORAGE}write-path/commit-change-set.ts`;

/** Faults of what is cut into rows and messages. */
export const largeSetMutants: readonly Mutant[] = largeSets([
  {
    id: 'fragment-unsent',
    title: 'the last fragment of a set is not sent',
    edits: [
      {
        file: RELAY,
        find: '  return fragments.map((fragment) =>',
        replace: '  return fragments.slice(0, -1).map((fragment) =>',
      },
    ],
  },
  {
    id: 'fragment-settled-unkept',
    title: 'a fragment is settled before it is kept',
    edits: [
      {
        file: FRAGMENTS,
        find: "await commit(store, [{ kind: 'upsert', rowKey, properties }]);",
        replace:
          "await commit(store, [{ kind: 'upsert', rowKey, properties }]).catch(() => undefined);",
      },
    ],
  },
  {
    id: 'whole-before-all-came',
    title: 'a set is taken for whole while one of its fragments is missing',
    edits: [
      {
        file: FRAGMENTS,
        find: 'const rows = kept.length === fragment.count ?',
        replace: 'const rows = kept.length >= fragment.count - 1 ?',
      },
      {
        file: FRAGMENTS,
        find: 'if (rows.length === fragment.count) {',
        replace: 'if (rows.length >= fragment.count - 1) {',
      },
    ],
  },
  {
    id: 'fragments-counted-once',
    title:
      'a set that was taken away since its fragments were counted is taken for one that differs',
    edits: [
      {
        file: FRAGMENTS,
        find: 'if (rows.length === fragment.count) {',
        replace: 'if (kept.length === fragment.count) {',
      },
    ],
  },
  {
    id: 'fragments-mixed',
    title: 'fragments of several sets of a bucket are taken for those of one',
    edits: [
      {
        file: FRAGMENTS,
        find: '  return `${entityKind}-${bucket}~${stamp}~${hash}~`;',
        replace:
          "  return `${entityKind}-${bucket}~${stamp.slice(0, 9)}~${hash && '0'.repeat(HASH_LENGTH)}~`;",
      },
    ],
  },
  {
    id: 'fragments-by-own-clock',
    title: 'fragments are given up by a clock that may be far ahead',
    edits: [
      {
        file: FRAGMENTS,
        find: 'storeMs !== undefined && storeMs - set.sinceMs >= keepMs',
        replace: 'Math.max(nowMs, storeMs ?? nowMs) - set.sinceMs >= keepMs',
      },
    ],
  },
  {
    id: 'fragments-dropped-first',
    title: 'the fragments of a set are forgotten before it is applied',
    edits: [
      {
        file: INBOUND,
        find: '  const { received, unreadable } = toReadSets(\n',
        replace:
          '  await fragments.drop(fragment);\n  const { received, unreadable } = toReadSets(\n',
      },
    ],
  },
  {
    id: 'incomplete-unnamed',
    title: 'a set of which a row is damaged is read over without a word',
    edits: [
      {
        file: ROWS,
        find: '      if (set !== undefined) joined.push(set);',
        replace:
          "      if (set !== undefined && (set.kind === 'set' || countIn(row) < 2)) joined.push(set);",
      },
    ],
  },
  {
    id: 'trimmed-in-part',
    title: 'of a large set that is trimmed only the first row goes',
    edits: [
      {
        file: KEEPER,
        find: "    return [{ kind: 'delete', rowKey, etag }, ...later];",
        replace: "    return [{ kind: 'delete', rowKey, etag }, ...later.slice(0, 0)];",
      },
    ],
  },
  {
    id: 'removed-in-part',
    title: 'of a large set that was relayed only the first row leaves the outbox',
    edits: [
      {
        file: OUTBOX,
        find: 'if (await deleteAll(bucket, entries.flatMap(keysOf))) return;',
        replace: 'if (await deleteAll(bucket, entries.map(keyOf))) return;',
      },
    ],
  },
  {
    id: 'prepared-rows-left',
    title: 'of a prepared set that is refused only the first row is taken back',
    seedsMax: 600,
    edits: [
      {
        file: COMMIT,
        find: '    const operations = toDeletions(outboxRows.map(({ rowKey }) => rowKey));',
        replace:
          '    const operations = toDeletions(outboxRows.slice(0, 1).map(({ rowKey }) => rowKey));',
      },
    ],
  },
]);

/** They happen where sets are large, which they are in every twentieth run. */
function largeSets(mutants: readonly Mutant[]): readonly Mutant[] {
  return mutants.map((mutant) => ({ where: (plan) => plan.largeSets !== undefined, ...mutant }));
}
