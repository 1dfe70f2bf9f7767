import { CORE, type Mutant, STORAGE } from './mutant.ts';

const LANE = `${STORAGE}write-path/bucket-lane.ts`;
const PACK = `${STORAGE}write-path/pack-group.ts`;
const DECIDE = `${STORAGE}write-path/decide-write.ts`;
const COMMIT = `${STORAGE}write-path/commit-change-set.ts`;
const PREPARED = `${STORAGE}write-path/prepared-set.ts`;
const SWEEP = `${CORE}outbound/sweep.ts`;
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
        find: 'packed.push({ change, text, operation: row, toMarked });',
        replace:
          'const guarded =\n' +
          "      index > 0 && 'properties' in row\n" +
          "        ? ({ kind: 'upsert', rowKey: row.rowKey, properties: row.properties } as const)\n" +
          '        : row;\n' +
          '    packed.push({ change, text, operation: guarded, toMarked });',
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
  {
    id: 'unread-fails-all-lines',
    title: 'who waits behind a transaction is refused for a row of it that is not its own',
    edits: [
      {
        file: LANE,
        find: 'this.#failLines(unread, failure.reason);',
        replace: 'this.#failLines(unread.length > 0 ? lines : [], failure.reason);',
      },
    ],
  },
  ...preparedMutants(),
];

/** Faults of sets that have no room for their outbox row. */
function preparedMutants(): readonly Mutant[] {
  return [
    {
      id: 'prepared-as-committed',
      title: 'the sweep archives and sends what is only prepared',
      edits: [
        {
          file: SWEEP,
          find: 'entry.prepared === undefined && isOlder(entry, graceMs);',
          replace: 'isOlder(entry, graceMs);',
        },
      ],
    },
    {
      id: 'prepared-unfenced',
      title: 'what was prepared is taken away while its commit may still arrive',
      edits: [
        {
          file: PREPARED,
          find: '    const operations = toUndoing({ entry, entityId, row, outboxRow }, kind);\n',
          replace:
            '    const operations = toUndoing({ entry, entityId, row, outboxRow }, kind).slice(-1);\n',
        },
      ],
    },
    {
      id: 'prepared-mark-lost',
      title: 'the row that tells of a commit is written over before the set is settled',
      edits: [
        {
          file: PREPARED,
          find: '  for (const stamp of stamps) await settleCommitted(stamp, place);\n',
          replace: '',
        },
        {
          file: PREPARED,
          find: 'if (isMarked || (await isToldElsewhere(entry, { ...place, bucketCount }))) {',
          replace: 'if (isMarked) {',
        },
      ],
    },
    {
      id: 'prepared-taken-for-settled',
      title: 'a prepared set whose outbox row changed meanwhile counts as settled by somebody else',
      edits: [
        {
          file: PREPARED,
          find: "return outcome.kind === 'committed' ? undefined : { contended: `The outbox row of ${stamp}` };",
          replace: 'return outcome.kind === undefined ? { contended: rowKey } : undefined;',
        },
      ],
    },
    {
      id: 'prepared-undone',
      title: 'what a crash left prepared counts as never committed',
      edits: [
        {
          file: PREPARED,
          find: 'if (isMarked || (await isToldElsewhere(entry, { ...place, bucketCount }))) {',
          replace: 'if (isMarked && !bucketCount) {',
        },
      ],
    },
    {
      id: 'prepared-undone-by-damage',
      title: 'a prepared set whose marked row is damaged counts as never committed',
      edits: [
        {
          file: PREPARED,
          find: "if (row !== undefined && judgeRow(row, { kind, bucketCount }).kind === 'damaged') {",
          replace: 'if (row !== undefined && bucketCount === 0) {',
        },
      ],
    },
    {
      id: 'prepared-answered',
      title: 'a transaction is answered once it is prepared',
      edits: [
        {
          file: COMMIT,
          find: 'const outcome = await commitDefinitely({ ...place, operations: rows }, entry, context);',
          replace:
            'void commitDefinitely({ ...place, operations: rows }, entry, context).catch(() => undefined);\n' +
            '  const outcome = COMMITTED_UNSEEN;',
        },
      ],
    },
    {
      id: 'prepared-taken-for-committed',
      title: 'after an ambiguous answer a set counts as committed that is only prepared',
      edits: [
        {
          file: COMMIT,
          find: 'const entityId = row && preparedIn(row);',
          replace: 'const entityId = row && undefined;',
        },
      ],
    },
    {
      id: 'prepared-unowed',
      where: ({ hasHundreds }) => hasHundreds,
      title: 'a watermark does not wait for what is prepared',
      edits: [
        {
          file: SWEEP,
          find: '[...settled.filter((one) => !isDue(one)), ...report.owed]',
          replace:
            '[...settled.filter((one) => !isDue(one) && one.prepared === undefined), ...report.owed]',
        },
      ],
    },
  ];
}
