import { CORE, type Mutant, STORAGE } from './mutant.ts';

const LANE = `${STORAGE}write-path/bucket-lane.ts`;
const PACK = `${STORAGE}write-path/pack-group.ts`;
const DECIDE = `${STORAGE}write-path/decide-write.ts`;
const APPLY = `${CORE}inbound/apply-change-sets.ts`;

/** Faults of what makes a write of several entities one. */
export const transactionMutants: readonly Mutant[] = [
  {
    id: 'torn-on-apply',
    title: 'a transaction that is received is written in two',
    edits: [
      {
        file: APPLY,
        find: "writes.length === 0 ? { kind: 'written' as const } : await replica.write(bucket, writes);",
        replace:
          "writes.length === 0 ? { kind: 'written' as const } : await replica.write(bucket, writes.slice(0, 1));\n" +
          "      if (writes.length > 1 && outcome.kind === 'written') {\n" +
          '        const rest = await replica.write(bucket, writes.slice(1));\n' +
          "        if (rest.kind !== 'written') return { contended: rest.entityId };\n" +
          '      }',
      },
    ],
  },
  {
    id: 'transaction-drops-one',
    title: 'of a transaction that is received the last row is not written',
    edits: [
      {
        file: APPLY,
        find: 'const writes = folds.flatMap((fold) => fold.write ?? []);',
        replace:
          'const all = folds.flatMap((fold) => fold.write ?? []);\n' +
          '      const writes = sets.some(({ whole }) => whole) && all.length > 1 ? all.slice(1) : all;',
      },
    ],
  },
  {
    id: 'half-archived',
    title: 'a transaction that is received is archived without its last change',
    edits: [
      {
        file: APPLY,
        find: '  if (error === undefined) return [received];',
        replace:
          '  if (error === undefined && received.set.whole === true && received.set.changes.length > 1) {\n' +
          "    const last = received.set.changes.at(-1)?.entityId ?? '';\n" +
          '    return [withoutChanges(received, new Set([last]))].filter((left) => left !== undefined);\n' +
          '  }\n' +
          '  if (error === undefined) return [received];',
      },
    ],
  },
  {
    id: 'half-replayed',
    title: 'a replay takes the first change of a transaction alone',
    edits: [
      {
        file: `${CORE}recovery/replay.ts`,
        find: 'for (const change of row.set.changes) {',
        replace:
          'for (const change of row.set.whole === true ? row.set.changes.slice(0, 1) : row.set.changes) {',
      },
    ],
  },
  {
    id: 'decided-on-stale-rows',
    title: 'only the first row of a transaction is guarded until it is committed',
    edits: [
      {
        file: PACK,
        find: 'packed.push({ change, text, operation: row });',
        replace:
          'const guarded =\n' +
          "      index > 0 && 'properties' in row\n" +
          "        ? ({ kind: 'upsert', rowKey: row.rowKey, properties: row.properties } as const)\n" +
          '        : row;\n' +
          '    packed.push({ change, text, operation: guarded });',
      },
    ],
  },
  {
    id: 'refused-in-part',
    title: 'a transaction of which one operation may not happen does the others',
    edits: [
      {
        file: DECIDE,
        find: '    } else if (places.size === 0) {\n',
        replace:
          '    } else if (isOfSeveral) {\n' +
          "      bases.push({ operation: 'patch', stored: known.row, isRemembered: false });\n" +
          '    } else if (places.size === 0) {\n',
      },
    ],
  },
  {
    id: 'leaves-one-line',
    title: 'a transaction that is over lets only the next of its first line take its turn',
    edits: [
      {
        file: LANE,
        find: 'for (const first of next) this.#serve(first);',
        replace: 'for (const first of [...next].slice(0, 1)) this.#serve(first);',
      },
    ],
  },
  {
    id: 'overtakes-in-line',
    title: 'a transaction takes its turn though another write stands before it in one of its lines',
    edits: [
      {
        file: LANE,
        find: 'if (lines.some(({ waiting }) => waiting[0] !== write)) return;',
        replace: 'if (lines.every(({ waiting }) => waiting[0] !== write)) return;',
      },
    ],
  },
];
