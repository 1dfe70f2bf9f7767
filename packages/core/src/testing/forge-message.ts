// Messages that nobody sends in good order, drawn from a seed: a valid one, and on most of them one or two
// mutations of the wire format, of any level of it.
import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { bucketOf } from '../entity-kind/bucket.ts';
import { createSeededRandomness } from '../memory/seeded-randomness.ts';
import type { MessageSubject, OutboundMessage } from '../ports/change-publisher.ts';

/** A queue takes no more than this of one. */
const BODY_BYTES_MAX = 250 * 1_024;
const YEAR_MS = 365 * 24 * 3_600_000;

interface Draw {
  /** A whole number below `count`. */
  readonly below: (count: number) => number;
  readonly chance: (of: number) => boolean;
  readonly pick: <T>(choices: readonly T[]) => T;
}

/** What stands in the JSON of a change set: everything may be replaced by anything. */
type Json = Record<string, unknown>;

interface WireState extends Json {
  fields: Json;
  vector: unknown[];
}

interface WireChange extends Json {
  entityId: unknown;
  state: WireState;
}

interface WireSet extends Json {
  bucket: unknown;
  stamp: unknown;
  changes: WireChange[];
}

export interface Forger {
  next(): OutboundMessage;
}

/** Whose messages are forged. */
export interface ForgerOptions {
  readonly seed: number;
  readonly nowMs: () => number;
  readonly kindName: string;
  readonly bucketCount: number;
  /** Its entities are `<idPrefix>-0` and so on, as many as `idCount`. */
  readonly idPrefix: string;
  readonly idCount: number;
  /** Names the writer of its stamps, so that two forgers never make the same one; letters and digits. */
  readonly writer: string;
  /** Has some of its sets come in fragments, with other messages between. */
  readonly cuts: boolean;
  /** Has some of its messages bring conflicts that a region could have found, whole or with a fault. */
  readonly conflicts: boolean;
}

export function createForger(options: ForgerOptions): Forger {
  const { nowMs } = options;
  const randomness = createSeededRandomness(options.seed);
  const draw: Draw = {
    below: (count) => Math.floor(randomness.fraction() * count),
    chance: (of) => randomness.fraction() < 1 / of,
    pick: (choices) => choices[Math.floor(randomness.fraction() * choices.length)]!,
  };
  let number = 0;
  let last: OutboundMessage | undefined;
  /** Fragments that are still to come. */
  const pending: OutboundMessage[] = [];

  // One stamp stands for one content, whatever is done to it: a second content would be another forgery.
  const nextStamp = (region: string, timeMs = nowMs()): string =>
    stampText(timeMs, number % 65_536, region, `${options.writer}${Math.floor(number / 65_536)}`);

  return {
    next() {
      number += 1;
      if (last !== undefined && draw.chance(20)) {
        return { ...last, messageId: last.messageId.replace(/\d+$/, String(number)) };
      }
      if (options.cuts && pending.length < PENDING_MAX && draw.chance(15)) {
        const fragments = forgeFragments(draw, nextStamp, options);
        for (const [index, body] of fragments.entries()) {
          const messageId = `${FRAGMENTS_OF}${number}/${index}`;
          pending.push({ messageId, subject: 'change-set', body });
        }
      }
      const [fragment] = pending.length > 0 && draw.chance(3) ? pending.splice(0, 1) : [];
      if (fragment !== undefined) {
        last = fragment;
        return fragment;
      }
      const body = forgeBody(draw, nextStamp, options).subarray(0, BODY_BYTES_MAX);
      const isWatermark = body.length < 100_000 && /^\{"wire":[^,]*,"from"/.test(startOf(body));
      const subject = draw.chance(40) ? draw.pick(ODD_SUBJECTS) : subjectOf(isWatermark);
      last = { messageId: `h/${number}`, subject: subject as MessageSubject, body };
      return last;
    },
  };
}

/** Begins the ids of messages that are fragments; the number of their set follows. */
const FRAGMENTS_OF = 'h/f';
const PENDING_MAX = 100;

const ODD_SUBJECTS = [undefined, '', 'watermark', 'change-set', '__proto__', 'x'.repeat(300)];

function subjectOf(isWatermark: boolean): MessageSubject {
  return isWatermark ? 'watermark' : 'change-set';
}

type NextStamp = (region: string, timeMs?: number) => string;

function forgeBody(draw: Draw, nextStamp: NextStamp, options: ForgerOptions): Uint8Array {
  const one = (): Uint8Array => encode(forgeSet(draw, nextStamp, options), draw);
  const kind = draw.below(100);
  if (options.conflicts && draw.chance(12)) {
    return damage(bytesOf(JSON.stringify(forgeConflicts(draw, nextStamp, options))), draw);
  }
  if (kind < 60) return damage(one(), draw);
  if (kind < 70) return damage(deflated(one(), draw), draw);
  // Each of a pack needs a stamp of its own, so only one of them is drawn and the others are nothing.
  if (kind < 78) return damage(packOf(one(), draw), draw);
  if (kind < 82) return bombPack(draw);
  if (kind < 94) return damage(bytesOf(JSON.stringify(forgeWatermark(draw, options))), draw);
  return draw.pick(RUBBISH)(draw);
}

function forgeSet(draw: Draw, nextStamp: NextStamp, options: ForgerOptions): WireSet {
  const { nowMs, kindName, bucketCount, idPrefix, idCount } = options;
  const region = draw.pick(['west', 'east']);
  const stamp = nextStamp(region, draw.chance(15) ? nowMs() + YEAR_MS : nowMs());
  const entityId = `${idPrefix}-${draw.below(idCount)}`;
  const set: WireSet = {
    wire: 1,
    entityKind: kindName,
    bucket: bucketOf(entityId, bucketCount),
    stamp,
    changes: [
      {
        entityId,
        operation: draw.pick(['create', 'replace', 'patch', 'delete']),
        state: {
          fields: {
            label: [stamp, ['String', `l${draw.below(1_000)}`]],
            restarts: [stamp, ['Int32', draw.below(1_000)]],
            bytesSent: [stamp, ['Int64', String(draw.below(1_000_000))]],
          },
          alive: stamp,
          vector: [stamp],
        },
      },
    ],
  };
  if (draw.chance(6)) set.changes[0]!.state['deleted'] = stamp;
  for (let left = draw.pick([0, 0, 0, 1, 1, 1, 2, 3]); left > 0; left -= 1) {
    draw.pick(MUTATIONS)(set, draw, nextStamp);
  }
  return set;
}

type Mutation = (set: WireSet, draw: Draw, nextStamp: NextStamp) => void;

const ODD_TEXTS = [
  '',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  '\u0000',
  '\ud800',
  'a\udfff',
  '\u202e\u2028',
  '\u{1f600}'.repeat(40),
  '../..',
  '~o~x',
  'x'.repeat(600),
  '\u0001'.repeat(400),
];
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  1e308,
  2 ** 53,
  {},
  [],
  [[]],
  { toString: 1 },
  ['String', 1],
  ['Int32', 2 ** 31],
  ['Int64', '9223372036854775808'],
  ['Double', 'Infinity'],
  ['DateTime', '2026-02-30T00:00:00Z'],
  ['DateTime', '0001-01-01T00:00:00Z'],
  ['Guid', 'none'],
  ['Binary', '!!!'],
  ['Date', 0],
  ['String', '\ud800'],
  ['__proto__', 'x'],
  ['String', 'x'.repeat(70_000)],
  ['String', '\u0001'.repeat(30_000)],
];
const ODD_STAMPS = [
  'ffffffffffff-ffff-west-evil',
  '800000000000-0000-west-evil',
  'FFFFFFFFFFFF-0000-west-evil',
  '000000000000-0000-none-0',
  '0199a1b2c3d4-0003-mars-evil',
  '0199a1b2c3d4-0003-west',
  '0199a1b2c3d4-0003-west-evil-more',
  '0199a1b2c3d4-0003-west-EVIL',
  '',
  'z'.repeat(81),
];

/** What an earlier mutation has taken away cannot be mutated again. */
const changeOf = (set: WireSet): WireChange =>
  (set.changes as WireChange[] | undefined)?.[0] ?? {
    entityId: '',
    state: { fields: {}, vector: [] },
  };
const stateOf = (set: WireSet): WireState => {
  const { state } = changeOf(set);
  return Array.isArray(state?.vector) && state.fields !== undefined
    ? state
    : { fields: {}, vector: [] };
};

/** Replaces the one stamp of the set wherever it stands, as a sender with such a clock would have it. */
function restamp(set: WireSet, stamp: string): void {
  if (typeof set.stamp !== 'string' || set.stamp.length < 20) return;
  const text = JSON.stringify(set).replaceAll(set.stamp, stamp);
  Object.assign(set, JSON.parse(text));
}

const MUTATIONS: readonly Mutation[] = [
  (set, draw) => restamp(set, draw.pick(ODD_STAMPS)),
  (set, draw, nextStamp) =>
    restamp(set, nextStamp('west', 2 ** 47 - 1 - draw.below(3) * draw.below(1_000_000))),
  (set, _, nextStamp) => restamp(set, nextStamp('mars')),
  (set, draw) => {
    set.stamp = draw.pick<unknown>([...ODD_STAMPS, 7, null, {}]);
  },
  (set, draw) => {
    stateOf(set)[draw.pick(['alive', 'deleted'])] = draw.pick(ODD_STAMPS);
  },
  (set, draw) => {
    const state = stateOf(set);
    const regions = draw.pick([1, 60, 63, 64, 500]);
    for (let index = 0; index < regions; index += 1) {
      state.vector.push(`0199a1b2c3d4-0000-r${index}x${draw.below(1_000)}-w`);
    }
  },
  (set, draw) => {
    stateOf(set).vector = draw.pick([[], [''], ['ffffffffffff-ffff-east-w'], [null]]);
  },
  (set) => {
    stateOf(set).vector.push(...stateOf(set).vector);
  },
  (set, draw) => {
    set.bucket = draw.pick<unknown>(['00', '01', '02', '03', 'ff', '0', 'zz', 0, null, '../']);
  },
  (set, draw) => {
    changeOf(set).entityId = draw.pick<unknown>([...ODD_TEXTS, 7, null]);
  },
  (set, draw) => {
    stateOf(set).fields[draw.pick([...ODD_TEXTS, 'referenceId', 'RowKey', 'Timestamp', 'etag'])] = [
      set.stamp,
      ['String', 'x'],
    ];
  },
  (set, draw) => {
    for (let index = draw.pick([1, 16, 17, 300, 3_000]); index > 0; index -= 1) {
      stateOf(set).fields[`newer${draw.below(5_000)}`] = [set.stamp, ['String', 'x']];
    }
  },
  (set, draw) => {
    const name = draw.pick(['label', 'restarts', 'firmware', 'newer']);
    stateOf(set).fields[name] = [set.stamp, draw.pick(ODD_VALUES)];
  },
  (set, draw) => {
    stateOf(set).fields['label'] = draw.pick(ODD_VALUES);
  },
  (set, draw) => {
    set['entityKind'] = draw.pick<unknown>(['Unheard', 'Archive', 7, ...ODD_TEXTS]);
  },
  (set, draw) => {
    set['wire'] = draw.pick<unknown>([0, -1, 2, 3, 4, 99, 2 ** 53, '1', null, {}]);
  },
  (set, draw) => {
    const first = changeOf(set);
    set.changes = Array.from({ length: draw.pick([0, 2, 99, 100, 400]) }, () => first);
  },
  (set, draw) => {
    changeOf(set)['operation'] = draw.pick<unknown>(['destroy', null, 1, '__proto__']);
  },
  (set, draw) => {
    changeOf(set)['trace'] = draw.pick<unknown>([{}, 'x'.repeat(1_000), null, 7]);
  },
  (set, draw) => {
    delete set[draw.pick(['bucket', 'stamp', 'entityKind', 'wire', 'changes'])];
  },
  (set) => {
    changeOf(set).state = [] as unknown as WireState;
  },
];

/** A set without changes has nothing more to mutate. */
function encode(set: WireSet, draw: Draw): Uint8Array {
  const text = JSON.stringify(set);
  if (draw.chance(60)) return bytesOf(text.replace('"fields":{', '"fields":{"__proto__":[],'));
  if (draw.chance(60)) return bytesOf(text.replace('"stamp"', '"stamp":"twice","stamp"'));
  if (draw.chance(60)) return bytesOf(`\ufeff${text}`);
  return bytesOf(text);
}

function damage(body: Uint8Array, draw: Draw): Uint8Array {
  if (!draw.chance(8)) return body;
  const damaged = Uint8Array.from(body);
  if (draw.chance(2)) return damaged.subarray(0, draw.below(damaged.length));
  // Never a digit of a stamp: that would be another content under a stamp that there is.
  for (let flips = 1 + draw.below(4); flips > 0; flips -= 1) {
    const at = draw.below(damaged.length);
    if (!/[0-9a-z]/.test(String.fromCharCode(damaged[at] ?? 0))) damaged[at] = draw.below(32);
  }
  return damaged;
}

/** Returns what a set is cut into, in the order in which it comes. Of some one is missing, comes twice, or is another's. */
function forgeFragments(
  draw: Draw,
  nextStamp: NextStamp,
  options: ForgerOptions,
): readonly Uint8Array[] {
  const set = forgeSet(draw, nextStamp, options);
  const plain = encode(set, draw);
  const bytes = draw.chance(10)
    ? deflateSync(new Uint8Array(8 * 1_024 * 1_024))
    : deflateSync(plain);
  const part = 3 * Math.ceil(bytes.length / 3 / (2 + draw.below(4)));
  const head = {
    wire: 8,
    fragment: 0,
    of: Math.ceil(bytes.length / part),
    entityKind: set['entityKind'],
    bucket: set.bucket,
    stamp: set.stamp,
    bytes: plain.length,
    part,
    digest: createHash('sha256').update(bytes).digest('hex'),
  };
  const fragments = Array.from(
    { length: head.of },
    (_, fragment): Json => ({
      ...head,
      fragment,
      deflated: Buffer.from(bytes.subarray(fragment * part, (fragment + 1) * part)).toString(
        'base64',
      ),
    }),
  );
  if (draw.chance(2)) draw.pick(FRAGMENT_MUTATIONS)(fragments, draw, nextStamp);
  return fragments.map((fragment) =>
    damage(bytesOf(JSON.stringify(fragment)), draw).subarray(0, BODY_BYTES_MAX),
  );
}

type FragmentMutation = (fragments: Json[], draw: Draw, nextStamp: NextStamp) => void;

const ODD_HEADS: Readonly<Record<string, readonly unknown[]>> = {
  fragment: [-1, 1, 16, 17, 1.5, '0', null],
  of: [0, 1, 3, 17, 18, 2 ** 31, null],
  entityKind: ['Unheard', 'Archive', '__proto__', 7],
  bucket: ['03', 'ff', 'zz', '../', 0],
  stamp: [...ODD_STAMPS, 7, null],
  bytes: [0, 1, 6 * 1_024 * 1_024, 6 * 1_024 * 1_024 + 1, 2 ** 53, '1'],
  part: [0, 1, 3, 184_320, 184_323, -3],
  digest: ['', '0'.repeat(64), 'x'.repeat(64), 7],
  deflated: ['', '!!!!', 'AAAA', 'A'.repeat(1_000), null],
};

const FRAGMENT_MUTATIONS: readonly FragmentMutation[] = [
  (fragments, draw) => fragments.splice(draw.below(fragments.length), 1),
  (fragments, draw) => fragments.push({ ...draw.pick(fragments) }),
  (fragments) => fragments.reverse(),
  (fragments, draw) => {
    const name = draw.pick(Object.keys(ODD_HEADS));
    draw.pick(fragments)[name] = draw.pick(ODD_HEADS[name]!);
  },
  (fragments, draw) => {
    const name = draw.pick(Object.keys(ODD_HEADS));
    const value = draw.pick(ODD_HEADS[name]!);
    for (const fragment of fragments) fragment[name] = value;
  },
  (fragments, _, nextStamp) => {
    const stamp = nextStamp('west');
    for (const fragment of fragments) fragment['stamp'] = stamp;
  },
  (fragments, draw) => {
    const [one, other] = [draw.pick(fragments), draw.pick(fragments)];
    one['deflated'] = other['deflated'];
  },
];

function deflated(plain: Uint8Array, draw: Draw): Uint8Array {
  const claimed = draw.pick([
    plain.length,
    plain.length,
    plain.length,
    0,
    plain.length - 1,
    256 * 1_024,
    9_999_999,
  ]);
  const base64 = draw.chance(10) ? '!!!!' : deflateSync(plain).toString('base64');
  return bytesOf(`{"wire":3,"bytes":${claimed},"deflated":"${base64}"}`);
}

function packOf(set: Uint8Array, draw: Draw): Uint8Array {
  const rubbish = bytesOf(
    draw.pick(['{}', '{"wire":1}', '[', '"', '{"wire":3,"bytes":1,"deflated":"']),
  );
  const others = Array.from({ length: draw.pick([1, 2, 50, 99]) }, () => rubbish);
  const pack = packed(draw.chance(2) ? [set, ...others] : [...others, set]);
  if (!draw.chance(5)) return pack;
  const text = Buffer.from(pack).toString('latin1');
  return Buffer.from(text.replace(/"lengths":\[(\d+)/, '"lengths":[9$1'), 'latin1');
}

/** What a pack looks like is written down here once more, so that no shipping code judges itself. */
function packed(sets: readonly Uint8Array[]): Uint8Array {
  const lengths = sets.map(({ length }) => length).join(',');
  const commas = sets.flatMap((set, index) => (index === 0 ? [set] : [bytesOf(','), set]));
  return Buffer.concat([
    bytesOf(`{"wire":2,"lengths":[${lengths}],"sets":[`),
    ...commas,
    bytesOf(']}'),
  ]);
}

/** What takes a hundred megabytes inflated, and a few kilobytes in the queue. */
function bombPack(draw: Draw): Uint8Array {
  const bytes = draw.pick([960 * 1_024, 256 * 1_024, 4 * 1_024 * 1_024, 200 * 1_024]);
  const known =
    BOMBS.get(bytes) ?? deflateSync(new Uint8Array(bytes).fill(0x20)).toString('base64');
  BOMBS.set(bytes, known);
  const claimed = draw.pick([bytes, bytes, 100, 200 * 1_024]);
  const bomb = bytesOf(`{"wire":3,"bytes":${claimed},"deflated":"${known}"}`);
  const count = Math.min(
    draw.pick([1, 2, 100]),
    Math.floor((BODY_BYTES_MAX - 1_000) / bomb.length),
  );
  return count < 2 ? bomb : packed(Array.from({ length: count }, () => bomb));
}

const BOMBS = new Map<number, string>();

function forgeWatermark(draw: Draw, options: ForgerOptions): Json {
  const nowMs = options.nowMs();
  const watermark: Json = {
    wire: draw.pick<unknown>([1, 1, 1, 2, 0, '1']),
    from: draw.pick<unknown>([
      'west',
      'west',
      'mars',
      `r${draw.below(20_000)}`,
      'X',
      7,
      '__proto__',
    ]),
    timeMs: draw.pick<unknown>([
      nowMs,
      nowMs - 10,
      2 ** 53 - 1,
      -1,
      1.5,
      nowMs + YEAR_MS,
      '0',
      null,
    ]),
  };
  if (draw.chance(2)) watermark['appliedMs'] = draw.pick<unknown>([nowMs, 2 ** 53 - 1, -1, 'x']);
  if (draw.chance(4)) watermark['conflicts'] = draw.pick(FORGED_CONFLICTS)(options.kindName);
  return watermark;
}

const FORGED_CONFLICTS: readonly ((kindName: string) => unknown)[] = [
  () => 7,
  () => '!!!',
  () => deflateSync(Buffer.alloc(8 * 1_024 * 1_024, 0x20)).toString('base64'),
  () => deflateSync(Buffer.from('[]')).toString('base64'),
  (entityKind) =>
    deflateSync(
      Buffer.from(
        JSON.stringify([
          {
            entityKind,
            entityId: '\ud800',
            stamps: ['ffffffffffff-ffff-mars-a', 'ffffffffffff-ffff-mars-b'],
            fields: [],
          },
        ]),
      ),
    ).toString('base64'),
];

interface WireConflict extends Json {
  entityId: unknown;
  stamps: unknown;
  fields: Json[];
}

/** Is a message that vouches for no time and brings conflicts; on half of them a fault, in one of them. */
function forgeConflicts(draw: Draw, nextStamp: NextStamp, options: ForgerOptions): Json {
  const count = draw.pick([1, 1, 2, 8, 100]);
  const conflicts = Array.from({ length: count }, () => forgeConflict(draw, nextStamp, options));
  if (draw.chance(2)) draw.pick(CONFLICT_MUTATIONS)(draw.pick(conflicts), draw, nextStamp);
  const text = Buffer.from(JSON.stringify(conflicts));
  return {
    wire: 1,
    from: draw.pick(['west', 'east']),
    timeMs: 0,
    conflicts: deflateSync(text).toString('base64'),
  };
}

/** The two stamps are those of no set. Records of one message have the same two, so that those of one entity are joined. */
function forgeConflict(
  draw: Draw,
  nextStamp: NextStamp,
  { kindName, idPrefix, idCount }: ForgerOptions,
): WireConflict {
  const stamps = [nextStamp('east'), nextStamp('west')] as const;
  const [winner, loser] = draw.chance(2) ? stamps : stamps.toReversed();
  const fieldOf = (name: string, type: string, value: unknown): Json => ({
    name,
    winner: [winner, draw.chance(4) ? null : [type, value]],
    loser: [loser, [type, value]],
  });
  const conflict: WireConflict = {
    entityKind: kindName,
    entityId: `${idPrefix}-${draw.below(idCount)}`,
    stamps,
    fields: [
      fieldOf('label', 'String', `c${draw.below(1_000)}`),
      fieldOf('restarts', 'Int32', draw.below(1_000)),
    ].slice(0, draw.below(3)),
  };
  if (draw.chance(3)) {
    conflict['life'] = { alive: winner, deleted: loser, survives: draw.chance(2) };
  }
  return conflict;
}

type ConflictMutation = (conflict: WireConflict, draw: Draw, nextStamp: NextStamp) => void;

const CONFLICT_MUTATIONS: readonly ConflictMutation[] = [
  (conflict, draw) => void (conflict.entityId = draw.pick<unknown>([...ODD_TEXTS, 7, null])),
  (conflict, draw) => void (conflict['entityKind'] = draw.pick(ODD_TEXTS)),
  (conflict, draw, nextStamp) => {
    conflict.stamps = draw.pick<unknown>([
      [nextStamp('west'), nextStamp('east')],
      [nextStamp('mars'), nextStamp('west')],
      [nextStamp('west'), nextStamp('west')],
      [draw.pick(ODD_STAMPS), nextStamp('west')],
      [nextStamp('east')],
      null,
    ]);
  },
  (conflict, draw, nextStamp) => {
    const value = draw.pick(ODD_VALUES);
    conflict.fields.push({
      name: draw.pick([...ODD_TEXTS, 'label', 'bytesSent']),
      winner: [nextStamp('east'), value],
      loser: [draw.pick([...ODD_STAMPS, nextStamp('west')]), value],
    });
  },
  (conflict) => void conflict.fields.push(...conflict.fields),
  (conflict, draw, nextStamp) => {
    const [alive, deleted] = [draw.pick(ODD_STAMPS), nextStamp('west')];
    conflict['life'] = draw.pick<unknown>([{ alive, deleted, survives: 1 }, { alive }, []]);
  },
];

const RUBBISH: readonly ((draw: Draw) => Uint8Array)[] = [
  () => new Uint8Array(),
  () => bytesOf('[]'),
  () => bytesOf('null'),
  () => bytesOf('['.repeat(200_000)),
  () => bytesOf('{"a":'.repeat(50_000)),
  () => new Uint8Array(BODY_BYTES_MAX).fill(0x20),
  (draw) => Uint8Array.from({ length: draw.below(10_000) }, () => draw.below(256)),
  () => bytesOf(`{"wire":2,"lengths":[${'1,'.repeat(120)}1],"sets":[]}`),
  () => bytesOf('{"wire":2,"lengths":[9999999],"sets":[x]}'),
];

function stampText(timeMs: number, counter: number, region: string, writer: string): string {
  const time = Math.trunc(timeMs).toString(16).padStart(12, '0');
  return `${time}-${counter.toString(16).padStart(4, '0')}-${region}-${writer}`;
}

function startOf(body: Uint8Array): string {
  return Buffer.from(body.subarray(0, 64)).toString('latin1');
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
