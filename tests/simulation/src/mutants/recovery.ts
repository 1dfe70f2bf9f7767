import { CORE, type Mutant, STORAGE } from './mutant.ts';

const FOLD = `${CORE}recovery/replay.ts`;
const JOIN = `${CORE}recovery/repair-regions.ts`;
const SPAN = `${CORE}recovery/replay.ts`;
const VERIFY = `${CORE}recovery/verify-regions.ts`;
const ERASE = `${CORE}recovery/erase-entity.ts`;
const RISK = `${CORE}recovery/list-at-risk.ts`;
const REPAIR = `${CORE}recovery/repair-regions.ts`;
const KEEPER = `${STORAGE}recovery/archive-keeper.ts`;
const FORGET = `${STORAGE}recovery/forget-entity.ts`;
const TABLE = `${STORAGE}recovery/replay-into-table.ts`;
const RESTORE = `${STORAGE}recovery/restore.ts`;
const REPLAY_INTO = `${CORE}recovery/replay.ts`;
const IN_PLACE = `${CORE}recovery/replay.ts`;
const FILL = `${CORE}recovery/fill-region.ts`;
const JOURNALS = `${CORE}recovery/journals.ts`;
const COPY = `${CORE}recovery/copy-archive.ts`;
const COMPARE = `${CORE}recovery/verify-regions.ts`;
const SURVEY = `${CORE}recovery/survey-risk.ts`;
const LETTERS = `${CORE}recovery/settle-dead-letters.ts`;

/** Faults of what operators run when something was lost. */
export const recoveryMutants: readonly Mutant[] = [
  {
    id: 'fold-ignores-time',
    title: 'a replay to a time takes what was written later as well',
    edits: [{ file: SPAN, find: '...(beforeMs === undefined ? {} : { beforeMs }),', replace: '' }],
  },
  {
    id: 'replay-keeps-last',
    title: 'of the archived states of an entity the last one is kept',
    edits: [
      {
        file: FOLD,
        find: 'known === undefined ? found : mergeRows(known, found)',
        replace: 'known === undefined || mergeRows !== undefined ? found : known',
      },
    ],
  },
  {
    id: 'fold-keeps-first',
    title: 'of the archived states of an entity the first one is kept',
    edits: [
      {
        file: FOLD,
        find: 'known === undefined ? found : mergeRows(known, found)',
        replace: 'known === undefined || mergeRows === undefined ? found : known',
      },
    ],
  },
  {
    id: 'fold-drops-rest',
    title: 'of a change set only the first change is replayed',
    edits: [
      {
        file: FOLD,
        find: 'for (const change of row.set.changes) {',
        replace: 'for (const change of row.set.changes.slice(0, 1)) {',
      },
    ],
  },
  {
    id: 'fold-skips-deletions',
    title: 'a replay leaves out what was deleted',
    edits: [
      {
        file: FOLD,
        find: 'if (entityId !== undefined && change.entityId !== entityId) continue;',
        replace:
          "if (change.operation === 'delete') continue;\n      if (entityId !== undefined && change.entityId !== entityId) continue;",
      },
    ],
  },
  {
    id: 'replay-begins-late',
    title: 'a replay leaves out the first row of each page of the archive',
    edits: [
      {
        file: KEEPER,
        find: 'await joinRows(page.rows, { store, table: ARCHIVE_TABLE })) {\n      yield',
        replace:
          'await joinRows(page.rows.slice(1), { store, table: ARCHIVE_TABLE })) {\n      yield',
      },
    ],
  },
  {
    id: 'replay-forgets-bucket',
    title: 'a replay into a table leaves out the last bucket',
    edits: [
      {
        file: TABLE,
        find: 'buckets: buckets.filter((bucket) => !bucketsDone.includes(bucket)),',
        replace:
          'buckets: buckets.filter((bucket, at) => !bucketsDone.includes(bucket) && (at === 0 || at < buckets.length - 1)),',
      },
    ],
  },
  {
    id: 'join-blind',
    title: 'a repair gives every region what the first has',
    edits: [
      {
        file: JOIN,
        find: 'row === undefined ? incoming : mergeRows(row, incoming)',
        replace: 'row === undefined || mergeRows !== undefined ? incoming : row',
      },
    ],
  },
  {
    id: 'repair-first-only',
    title: 'a repair mends the first row of its plan in each bucket',
    edits: [
      {
        file: REPAIR,
        find: 'chunk(own, { countMax: ROWS_PER_TRANSACTION_MAX })',
        replace: 'chunk(own.slice(0, 1), { countMax: ROWS_PER_TRANSACTION_MAX })',
      },
    ],
  },
  {
    id: 'verify-forgets-last-region',
    title: 'a verification looks at two regions only',
    edits: [
      {
        file: VERIFY,
        find: 'const comparison = await compareBucket(regions, bucket, {',
        replace: 'const comparison = await compareBucket(regions.slice(0, 1), bucket, {',
      },
    ],
  },
  {
    id: 'erase-leaves-archive',
    title: 'forgetting leaves the archive as it is',
    edits: [
      {
        file: ERASE,
        find: 'if (set === undefined) continue;',
        replace: "if (set === undefined || entityId !== '') continue;",
      },
    ],
  },
  {
    id: 'erase-misses-conflicts',
    title: 'forgetting leaves the journal as it is',
    edits: [
      {
        file: ERASE,
        find: '  await eraseConflicts(region, entityId, until);',
        replace: '  if (region === undefined) await eraseConflicts(region, entityId, until);',
      },
    ],
  },
  {
    id: 'forget-misses-copies',
    title: 'forgetting leaves the tables that replays made',
    edits: [
      {
        file: FORGET,
        find: '    await eraseCopies(region, entityId);',
        replace: '    if (region === undefined) await eraseCopies(region, entityId);',
      },
    ],
  },
  {
    id: 'forget-one-region',
    title: 'forgetting erases in one region',
    edits: [
      {
        file: FORGET,
        find: '  for (const region of regions) {\n    await eraseEntity(',
        replace: '  for (const region of regions.slice(0, 1)) {\n    await eraseEntity(',
      },
    ],
  },
  {
    id: 'risk-one-bucket',
    title: 'the list of what is at risk reads one bucket',
    edits: [
      {
        file: RISK,
        find: 'for (const bucket of buckets) {',
        replace: 'for (const bucket of buckets.slice(0, 1)) {',
      },
    ],
  },
  {
    id: 'restore-takes-newer',
    title: 'a restore of a conflict takes away what was written after the conflict was seen',
    edits: [
      {
        file: RESTORE,
        find: '  if (names.length === 0) return;',
        replace: '  if (names.length >= 0) return;',
      },
    ],
  },
  {
    id: 'restore-over-newer',
    title: 'a restore to a time writes over what was written since it was planned',
    edits: [
      {
        file: RESTORE,
        find: '      ? await table.become(entityId, state, condition)',
        replace: '      ? await table.become(entityId, state, undefined)',
      },
    ],
  },
  {
    id: 'restore-never-deletes',
    title: 'a restore to a time leaves what was not there then',
    edits: [
      {
        file: RESTORE,
        find: '      : await table.remove(entityId, condition);',
        replace: "      : await Promise.resolve({ kind: 'deleted' } as const);",
      },
    ],
  },
  {
    id: 'replay-record-before-rows',
    title: 'a bucket is recorded as replayed before its rows are written',
    edits: [
      {
        file: REPLAY_INTO,
        find: '    await options.onBucketDone?.(bucket);\n',
        replace: '',
      },
      {
        file: REPLAY_INTO,
        find: '    await foldArchive({\n      archive,\n      region,\n',
        replace:
          '    await options.onBucketDone?.(bucket);\n    await foldArchive({\n      archive,\n      region,\n',
      },
    ],
  },
  {
    id: 'replay-reads-one-page',
    title: 'a replay reads the first page of the archive',
    edits: [
      {
        file: KEEPER,
        find: '      yield readArchiveRow(joined);\n    }\n',
        replace: '      yield readArchiveRow(joined);\n    }\n    break;\n',
      },
    ],
  },
  {
    id: 'fold-ignores-since',
    title: 'a replay from a time on takes what was written before as well',
    edits: [
      {
        file: SPAN,
        find: '      ...(fromMs === undefined ? {} : { fromMs }),\n',
        replace: '',
      },
    ],
  },
  {
    id: 'forget-misses-letters',
    title: 'forgetting leaves what lies among the dead letters',
    edits: [
      {
        file: FORGET,
        find: 'await region.withQueue((queue) => eraseDeadLetters(queue, entityId, stamp));',
        replace: '[];',
      },
    ],
  },
  {
    id: 'forget-discards-letters',
    title:
      'a dead letter that holds values of what is forgotten is thrown away with all that is in it',
    edits: [
      {
        file: ERASE,
        find: 'bodies.map(toReplacement)',
        replace: 'bodies.slice(0, 0).map(toReplacement)',
      },
    ],
    seedsMax: 1_000,
  },
  {
    id: 'restored-over-archived',
    title: 'what recovery knows of a change set is archived over the change set itself',
    edits: [
      {
        file: KEEPER,
        find: '    own.set === undefined\n      ? [toRow(',
        replace: "    own.set === undefined || own.etag !== ''\n      ? [toRow(",
      },
    ],
  },
  {
    id: 'fill-without-archive',
    title: 'a rebuild leaves the archive as it is',
    edits: [{ file: FILL, find: "  'archive',\n  'rows',", replace: "  'rows'," }],
  },
  {
    id: 'fill-without-conflicts',
    title: 'a rebuild leaves the journal as it is',
    edits: [
      { file: FILL, find: "  'conflicts',\n  'give-back',\n];", replace: "  'give-back',\n];" },
      {
        file: FILL,
        find: 'const { conflicts } = plan;',
        replace: 'const conflicts = plan.conflicts.slice(0, 0);',
      },
    ],
  },
  {
    id: 'repair-leaves-journals',
    title: 'a repair leaves the journals as they are',
    edits: [
      {
        file: JOURNALS,
        find: 'of Map.groupBy(conflicts, (conflict) => conflict.bucket)',
        replace: 'of Map.groupBy(conflicts.slice(0, 0), (conflict) => conflict.bucket)',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'verify-leaves-journals',
    title: 'a verification calls regions equal of which one lacks conflicts',
    edits: [
      { file: VERIFY, find: ' && areSameJournals(journals)', replace: '' },
      {
        file: VERIFY,
        find: 'const journals = await verifyJournals(options);',
        replace:
          'const journals = { ...(await verifyJournals(options)), differentCount: 0, differences: [] };',
      },
    ],
    seedsMax: 1_500,
  },
  {
    id: 'verify-passes-over-records',
    title: 'a record of a conflict that cannot be read when it is read again counts as none',
    edits: [{ file: VERIFY, find: ' && damagedCount === 0', replace: '' }],
    seedsMax: 4_000,
  },
  {
    id: 'journals-keep-first',
    title: 'of records that differ the regions are given the first',
    edits: [
      {
        file: JOURNALS,
        find: '(joined, record) => joined && joinConflicts(joined, record)',
        replace: '(joined, record) => joined ?? joinConflicts(record, record)',
      },
    ],
    seedsMax: 600,
  },
  {
    id: 'copy-archive-half',
    title: 'of an archive every other change set is copied',
    edits: [
      {
        file: COPY,
        find: '    if (wanted !== undefined) yield wanted;',
        replace: '    if (wanted !== undefined && (seen += 1) % 2 === 1) yield wanted;',
      },
      {
        file: COPY,
        find: '  let head = await readOwn();',
        replace: '  let seen = 0;\n  let head = await readOwn();',
      },
    ],
  },
  {
    id: 'copy-archive-loses-last',
    title: 'what is left of an archive at its end is not copied',
    edits: [
      {
        file: COPY,
        find: '    const refused = await options.into.put(batch);',
        replace:
          '    if (batch.length < BATCH_MAX) continue;\n    const refused = await options.into.put(batch);',
      },
    ],
  },
  {
    id: 'join-without-archive',
    title: 'what a repair joins into a row is not archived',
    edits: [
      {
        file: JOIN,
        find: '  await archive.restore(\n    joined.map(',
        replace: '  await archive.restore(\n    joined.slice(0, 0).map(',
      },
    ],
  },
  {
    id: 'join-archives-after-rows',
    title: 'a repair writes rows of which a cut leaves no trace in the archive',
    edits: [
      {
        file: JOIN,
        find: '  const outcome = await replica.write(\n',
        replace: '  const outcome = await writeFirst(\n',
      },
      {
        file: JOIN,
        find: '  // Before the rows: once they are joined, a repetition would see neither gap nor conflict.\n',
        replace:
          '  const written = await replica.write(bucket, joined.map(({ write }) => write));\n' +
          '  const writeFirst = async (...asked: unknown[]) => (asked.length > 0 ? written : written);\n',
      },
    ],
  },
  {
    id: 'in-place-leaves-peers',
    title: 'a replay in place gives the peers nothing of what comes back',
    edits: [
      {
        file: IN_PLACE,
        find: '  const regions = [...peers, target];',
        replace: '  const regions = [...peers.slice(0, 0), target];',
      },
    ],
  },
  {
    id: 'verify-skips-absent',
    title: 'a row that one region lacks counts as no difference',
    edits: [
      {
        file: COMPARE,
        find: 'if (!isDamaged && new Set(texts).size > 1)',
        replace: "if (!isDamaged && new Set(texts.filter((text) => text !== '')).size > 1)",
      },
    ],
  },
  {
    id: 'risk-parked-unseen',
    title: 'the list of what is at risk leaves out what is parked',
    edits: [
      {
        file: RISK,
        find: 'for await (const page of scanOutbox(outbox, { bucket, peers })) {',
        replace:
          'for await (const page of scanOutbox(outbox, { bucket, peers: peers.slice(0, 0) })) {',
      },
    ],
  },
  {
    id: 'risk-trusts-unknown',
    title: 'a peer of which nothing is known counts as having the change',
    edits: [
      {
        file: RISK,
        find: "place !== 'nowhere' && place !== 'not-known'",
        replace: "place !== 'nowhere'",
      },
    ],
  },
  {
    id: 'risk-queue-is-nothing',
    title: 'a queue that cannot be read counts as empty',
    edits: [
      {
        file: RISK,
        find: "  if (messages === undefined) return 'not-known';",
        replace: "  if (messages === undefined) return 'nowhere';",
      },
    ],
  },
  {
    id: 'risk-first-page-of-queue',
    title: 'the list of what is at risk reads the first page of a queue',
    edits: [
      {
        file: SURVEY,
        find: "      for await (const page of eachQueuePage(queue, 'messages')) {\n",
        replace:
          "      for await (const page of eachQueuePage(queue, 'messages')) {\n" +
          '        if (vectors.queued.size > 0) break;\n',
      },
    ],
  },
  {
    id: 'resubmit-completes-first',
    title: 'a dead letter is completed before it is sent again',
    edits: [
      {
        file: LETTERS,
        find: '      for (const one of taken) await sendFor(link, one, verdict);\n',
        replace: '',
      },
      {
        file: LETTERS,
        find: '        await link.complete(one);\n',
        replace: '        await link.complete(one);\n        await sendFor(link, one, verdict);\n',
      },
    ],
  },
  {
    id: 'resubmit-never-sends',
    title: 'a dead letter that is to be sent again is thrown away',
    edits: [
      {
        file: LETTERS,
        find: "if (verdict === 'resubmit') return link.send(letter);",
        replace: "if (verdict === 'resubmit') return;",
      },
    ],
  },
];
