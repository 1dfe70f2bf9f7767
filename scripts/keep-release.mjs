// Keeps what this version writes, for the next ones to read: messages, conflicts and rows, each beside what it says, in
// packages/storage/kept. Run once for a version, when it gets its number. What an older one wrote is never written again.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encodeOpenId, openTableId } from '../packages/core/src/entity-kind/open-id.ts';
import { formatStamp } from '../packages/core/src/time/stamp.ts';
import { deflateChangeSet, encodeChangeSet } from '../packages/core/src/wire/change-set-bytes.ts';
import {
  encodeConflict,
  encodeConflictMessages,
} from '../packages/core/src/wire/encode-conflict.ts';
import { packChangeSets } from '../packages/core/src/wire/message-body.ts';
import { encodeWatermark } from '../packages/core/src/wire/watermark.ts';
import { toEntityProperties } from '../packages/storage/src/rows/entity-row.ts';
import { toOpenProperties } from '../packages/storage/src/rows/open-row.ts';
import { plainOf } from '../packages/storage/src/testing/kept-form.ts';

const ROOT = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'packages/storage/package.json'), 'utf8'));
const FILE = join(ROOT, `packages/storage/kept/${version}.json`);

const stampAt = (timeMs, region) =>
  formatStamp({ timeMs, counter: 1, region, writer: 'a000000001' });
const FIRST = stampAt(1_700_000_000_000, 'east');
const LATER = stampAt(1_700_000_000_500, 'west');
const LAST = stampAt(1_700_000_001_000, 'east');

const VALUES = [
  ['text', { type: 'String', value: 'Größe "7" \\ \u{1F600}\u0001' }],
  ['empty', { type: 'String', value: '' }],
  ['yes', { type: 'Boolean', value: true }],
  ['int32', { type: 'Int32', value: -2_147_483_648 }],
  ['int64', { type: 'Int64', value: 9_223_372_036_854_775_807n }],
  ['double', { type: 'Double', value: 0.1 }],
  ['infinite', { type: 'Double', value: Number.NEGATIVE_INFINITY }],
  ['dateTime', { type: 'DateTime', value: '2024-02-29T23:59:59.1234567Z' }],
  ['guid', { type: 'Guid', value: '00b479c9-f61f-451a-86d2-ee8cc047c181' }],
  ['binary', { type: 'Binary', value: new Uint8Array([0, 1, 254, 255]) }],
  ['none', null],
];
const fieldsAt = (stamp) => new Map(VALUES.map(([name, value]) => [name, { value, stamp }]));
const vector = new Map([
  ['east', LAST],
  ['west', LATER],
]);
const STATES = {
  created: {
    fields: fieldsAt(FIRST),
    alive: FIRST,
    deleted: undefined,
    vector: new Map([['east', FIRST]]),
  },
  merged: {
    fields: new Map([
      ...fieldsAt(FIRST),
      ['text', { value: { type: 'String', value: 'later' }, stamp: LATER }],
    ]),
    alive: LATER,
    deleted: undefined,
    vector: new Map([
      ['east', FIRST],
      ['west', LATER],
    ]),
  },
  deleted: { fields: fieldsAt(FIRST), alive: LATER, deleted: LAST, vector },
  owned: { fields: fieldsAt(LAST), alive: LAST, deleted: undefined, base: LAST, vector },
};
const OPEN_ID = encodeOpenId(openTableId('Orders', '01'), { partitionKey: 'ada !', rowKey: '001' });

const setOf = (state, more = {}) => ({
  entityKind: 'Devices',
  bucket: '03',
  stamp: [...state.vector.values()].reduce((a, b) => (a > b ? a : b)),
  changes: [
    {
      entityId: 'pump-7/ü',
      operation: state.deleted === undefined ? 'replace' : 'delete',
      state,
      trace: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
  ],
  ...more,
});
const other = (state) => ({ entityId: 'pump-8', operation: 'create', state });
const SETS = Object.values(STATES).map((state) => setOf(state));
const SOME = [setOf(STATES.merged), setOf(STATES.owned)];
const whole = setOf(STATES.created, {
  changes: [...setOf(STATES.created).changes, other(STATES.created)],
  whole: true,
});
const CONFLICT = {
  entityKind: 'Devices',
  entityId: 'pump-7/ü',
  stamps: [FIRST, LATER],
  fields: VALUES.map(([name, value]) => ({
    name,
    winner: { value: { type: 'String', value: 'later' }, stamp: LATER },
    loser: { value, stamp: FIRST },
  })),
  life: { alive: FIRST, deleted: LATER, survives: false },
};
const WATERMARK = { from: 'east', timeMs: 5, appliedMs: 4, allAppliedMs: 3, soundMs: 6 };

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const keptBytes = (what, bytes, says) => ({ what, bytes: base64(bytes), says: plainOf(says) });
const keptRow = (what, properties, says) => ({
  what,
  properties: plainOf(properties),
  says: plainOf(says),
});

if (existsSync(FILE)) {
  process.stderr.write(
    `${FILE} is there: what a version wrote is kept as it was. Give the next one its number first.\n`,
  );
  process.exit(1);
}
const stored = Object.values(STATES).map((state) => ({
  state,
  referenceId: `Devices-03-2024/${FIRST}`,
}));
mkdirSync(join(ROOT, 'packages/storage/kept'), { recursive: true });
const kept = {
  bytes: [
    ...[...SETS, whole].map((set) => keptBytes('change-set', encodeChangeSet(set), set)),
    keptBytes('message', deflateChangeSet(encodeChangeSet(whole)), [whole]),
    keptBytes('message', packChangeSets(SOME.map((set) => encodeChangeSet(set))), SOME),
    keptBytes(
      'message',
      packChangeSets(SOME.map((set) => deflateChangeSet(encodeChangeSet(set)))),
      SOME,
    ),
    keptBytes('conflict', encodeConflict(CONFLICT), CONFLICT),
    ...encodeConflictMessages('east', [CONFLICT]).map((body) =>
      keptBytes('conflict-message', body, [CONFLICT]),
    ),
    keptBytes('watermark', encodeWatermark(WATERMARK), WATERMARK),
  ],
  rows: [
    ...stored.map((one) => keptRow('entity', toEntityProperties(one), one)),
    ...stored.map((one) => keptRow('open', toOpenProperties(one, OPEN_ID), one)),
  ],
  openId: OPEN_ID,
};
// A line for each, so that a difference shows which.
const lines = (list) => `[\n${list.map((one) => JSON.stringify(one)).join(',\n')}\n]`;
const { bytes, rows, openId } = kept;
const members = [
  `"openId":${JSON.stringify(openId)}`,
  `"bytes":${lines(bytes)}`,
  `"rows":${lines(rows)}`,
];
writeFileSync(FILE, `{${members.join(',\n')}}\n`);
