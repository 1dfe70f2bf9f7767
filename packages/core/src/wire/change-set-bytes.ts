import { deflateSync, inflateSync } from 'node:zlib';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { TerminalError } from '../errors.ts';
import { hasMark, isPropertyName } from '../limits/table-limits.ts';
import {
  CHANGES_PER_SET_MAX,
  CHANGES_WITH_OUTBOX_MAX,
  type Change,
  type ChangeSet,
  isWellFormed,
} from '../model/change-set.ts';
import {
  type EntityState,
  fieldsSince,
  hasFieldNameForm,
  isFingerprint,
  type StampedField,
  toPossibleStamp,
  toPossibleState,
} from '../state/entity-state.ts';
import { hasSeen } from '../state/version-vector.ts';
import { isStamp, type Stamp, stampRegion } from '../time/stamp.ts';
import {
  decodeFieldValue,
  type EncodedFieldValue,
  encodeFieldValue,
} from '../values/field-value.ts';
import {
  LARGE_SET_BOUNDS,
  LARGE_SET_PLAIN_BYTES_MAX,
  type LargeSetBounds,
  largeHeadOf,
  toLargeSet,
} from './large-set.ts';
import {
  ADOPTED_WIRE_VERSION,
  BASE_WIRE_VERSION,
  DEFLATED_WIRE_VERSION,
  FULL_WIRE_VERSION,
  MARK_WIRE_VERSION,
  NEWEST_WIRE_VERSION,
  REQUEST_WIRE_VERSION,
  WHOLE_WIRE_VERSION,
  WIRE_VERSION,
} from './versions.ts';

const encoder = new TextEncoder();

interface EncodedState {
  readonly fields: Record<string, readonly [string, EncodedFieldValue]>;
  readonly alive?: string;
  readonly deleted?: string;
  readonly base?: string;
  readonly request?: string;
  readonly vector: readonly string[];
}

/**
 * Writes UTF-8 JSON. The same bytes are written to the outbox, archived and sent. Throws `TABLE_LIMIT_EXCEEDED` for
 * more than a large set takes.
 */
export function encodeChangeSet(set: ChangeSet): Uint8Array {
  return joinChangeSet(set, set.changes.map(encodeChange));
}

/** Writes one change as JSON: whoever packs several into a set knows by its length what it takes there. */
export function encodeChange({ entityId, operation, state, trace }: Change): string {
  // A reader that does not know `trace` reads over it, and JSON leaves it out when there is none.
  return JSON.stringify({ entityId, operation, state: encodeState(state), trace });
}

/**
 * Returns the encoding of a set whose changes, in their order, `encodeChange` has encoded as `texts`: a plain one, or a
 * large one beyond the bounds. Throws as `encodeChangeSet` does.
 */
export function joinChangeSet(
  set: ChangeSet,
  texts: readonly string[],
  bounds: LargeSetBounds = LARGE_SET_BOUNDS,
): Uint8Array {
  const { entityKind, bucket, stamp, whole } = set;
  const wire = wireVersionOf(set);
  const head = JSON.stringify({ wire, entityKind, bucket, stamp, whole }).slice(0, -1);
  const plain = encoder.encode(`${head},"changes":[${texts.join(',')}]}`);
  return plain.length > bounds.plainBytesMax ? toLargeSet(plain, bounds) : plain;
}

/** Returns the oldest version that says all of the set: what needs no newer one stays readable everywhere. */
function wireVersionOf({ changes, stamp, whole }: ChangeSet): number {
  if (changes.some(({ state }) => [...state.fields.keys()].some(hasMark))) return MARK_WIRE_VERSION;
  if (changes.some(({ state }) => state.request !== undefined)) return REQUEST_WIRE_VERSION;
  if (changes.some(({ state }) => !hasSeen(state.vector, stamp))) return ADOPTED_WIRE_VERSION;
  if (changes.length > CHANGES_WITH_OUTBOX_MAX) return FULL_WIRE_VERSION;
  if (whole === true) return WHOLE_WIRE_VERSION;
  const needsBase = changes.some(
    ({ state }) =>
      state.base !== undefined || [...state.fields.keys()].some((name) => !hasFieldNameForm(name)),
  );
  return needsBase ? BASE_WIRE_VERSION : WIRE_VERSION;
}

function encodeState(state: EntityState): EncodedState {
  // Of no prototype, for `__proto__` is a name like any other.
  const fields = Object.create(null) as Record<string, readonly [string, EncodedFieldValue]>;
  for (const [name, field] of state.fields) fields[name] = encodeField(field);
  return {
    fields,
    ...(state.alive === undefined ? {} : { alive: state.alive }),
    ...(state.deleted === undefined ? {} : { deleted: state.deleted }),
    ...(state.base === undefined ? {} : { base: state.base }),
    ...(state.request === undefined ? {} : { request: state.request }),
    vector: [...state.vector.values()],
  };
}

function encodeField(field: StampedField): readonly [string, EncodedFieldValue] {
  return [field.stamp, encodeFieldValue(field.value)];
}

/** Is a little more than what a set may take when it is written: no reader ever needs more memory for one. */
const PLAIN_BYTES_MAX = 256 * 1_024;
const START = `{"wire":${DEFLATED_WIRE_VERSION},`;
const HEAD_LENGTH_MAX = 48;
const HEAD = new RegExp(`^\\{"wire":${DEFLATED_WIRE_VERSION},"bytes":(\\d{1,7}),"deflated":"`);
const TAIL = '"}';
/** Ten change sets in one take a tenth of their bytes at any level, and this one a few microseconds. */
const LEVEL = 1;

/** Returns the same set in fewer bytes, or the same bytes when these are the fewest, as those of a large one are. */
export function deflateChangeSet(plain: Uint8Array): Uint8Array {
  if (plain.length > PLAIN_BYTES_MAX || largeHeadOf(plain) !== undefined) return plain;
  const deflated = deflateSync(plain, { level: LEVEL }).toString('base64');
  const text = `${START}"bytes":${plain.length},"deflated":"${deflated}${TAIL}`;
  return text.length < plain.length ? new TextEncoder().encode(text) : plain;
}

/** Returns the plain encoding of a set, deflated or not. Throws `CHANGE_UNDECODABLE` and `CHANGE_TOO_LARGE`. */
export function inflateChangeSet(
  encoded: Uint8Array,
  largeBytesMax = LARGE_SET_PLAIN_BYTES_MAX,
): Uint8Array {
  const head = headOf(encoded, largeBytesMax);
  if (head === undefined) return encoded;
  const { bytes, length, bytesMax } = head;
  if (bytes > bytesMax) {
    throw new TerminalError(
      'CHANGE_TOO_LARGE',
      `The deflated change set says that it takes ${bytes} bytes, the limit is ${bytesMax}. ` +
        'No region writes as much: find who did.',
      { details: { bytes } },
    );
  }
  const plain = inflate(textOf(encoded.subarray(length, -TAIL.length)), bytes);
  if (plain.length !== bytes || textOf(encoded.subarray(-TAIL.length)) !== TAIL) {
    throw damaged('it is not what its head says');
  }
  return plain;
}

/** Returns what the set takes once it is inflated, as its head says; nothing else of it is looked at. */
export function plainBytesOf(encoded: Uint8Array): number {
  return headOf(encoded)?.bytes ?? encoded.length;
}

interface DeflatedHead {
  readonly bytes: number;
  readonly length: number;
  readonly bytesMax: number;
}

function headOf(
  encoded: Uint8Array,
  largeBytesMax = LARGE_SET_PLAIN_BYTES_MAX,
): DeflatedHead | undefined {
  const start = textOf(encoded.subarray(0, HEAD_LENGTH_MAX));
  const head = start.startsWith(START) ? HEAD.exec(start) : null;
  if (head !== null) {
    return { bytes: Number(head[1]), length: head[0].length, bytesMax: PLAIN_BYTES_MAX };
  }
  const large = largeHeadOf(encoded);
  return large && { ...large, bytesMax: largeBytesMax };
}

function inflate(base64: string, bytes: number): Uint8Array {
  try {
    const maxOutputLength = Math.max(1, bytes);
    const plain = inflateSync(Buffer.from(base64, 'base64'), { maxOutputLength });
    return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
  } catch (cause) {
    throw damaged('it cannot be inflated', cause);
  }
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function damaged(what: string, cause?: unknown): TerminalError {
  const message = `The message is no deflated change set: ${what}.`;
  return new TerminalError('CHANGE_UNDECODABLE', message, { cause });
}

const StampText = Type.String({ maxLength: 80 });

const StateSchema = Type.Object({
  fields: Type.Record(Type.String(), Type.Tuple([StampText, Type.Unknown()])),
  alive: Type.Optional(StampText),
  deleted: Type.Optional(StampText),
  /** Means nothing in a set of the first version: an older build reads over it. */
  base: Type.Optional(Type.Unknown()),
  /** Means nothing below its version, for the same reason. */
  request: Type.Optional(Type.Unknown()),
  vector: Type.Array(StampText, { minItems: 1, maxItems: 64 }),
});

const ChangeSetSchema = Type.Object({
  entityKind: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9]{0,40}$' }),
  bucket: Type.String({ pattern: '^[0-9a-f]{2}$' }),
  stamp: StampText,
  whole: Type.Optional(Type.Literal(true)),
  changes: Type.Array(
    Type.Object({
      entityId: Type.String({ minLength: 1, maxLength: 512 }),
      operation: Type.Union([
        Type.Literal('create'),
        Type.Literal('replace'),
        Type.Literal('patch'),
        Type.Literal('delete'),
      ]),
      state: StateSchema,
      // Whatever it is: no change is refused for the sake of its trace.
      trace: Type.Optional(Type.Unknown()),
    }),
    { minItems: 1, maxItems: CHANGES_PER_SET_MAX },
  ),
});

/** Is the W3C form, version 00. */
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

const PLAIN_WIRE_VERSIONS = new Set([
  WIRE_VERSION,
  BASE_WIRE_VERSION,
  FULL_WIRE_VERSION,
  ADOPTED_WIRE_VERSION,
  REQUEST_WIRE_VERSION,
  MARK_WIRE_VERSION,
]);

const checkVersion = Compile(Type.Object({ wire: Type.Integer({ minimum: 1 }) }));
const checkChangeSet = Compile(ChangeSetSchema);

/**
 * Returns what the bytes of a plain set or of a deflated one say, as they say it: `judgeChangeSet` says what
 * of it is believed. Throws `CHANGE_TOO_NEW` for a wire version that this build does not know (upgrade it,
 * then resubmit), `CHANGE_TOO_LARGE` for more bytes than a set takes, and `CHANGE_UNDECODABLE`, naming the
 * first fault, for everything else.
 */
export function decodeChangeSet(bytes: Uint8Array): ChangeSet {
  const json = parseJson(inflateChangeSet(bytes), (cause) =>
    undecodable('it is not UTF-8 JSON', cause),
  );
  if (!checkVersion.Check(json)) throw undecodable('it carries no wire version');
  if (json.wire > NEWEST_WIRE_VERSION) {
    throw new TerminalError(
      'CHANGE_TOO_NEW',
      `The change set has wire version ${json.wire}; this build reads up to ${NEWEST_WIRE_VERSION}. ` +
        'Upgrade this region, then resubmit the message.',
      { details: { wire: json.wire } },
    );
  }
  const { wire } = json;
  if (!PLAIN_WIRE_VERSIONS.has(wire)) {
    throw undecodable(`a set is not written like this in wire version ${wire}`);
  }
  if (!checkChangeSet.Check(json)) {
    const [first] = checkChangeSet.Errors(json);
    throw undecodable(`${first?.instancePath ?? '/'} ${first?.message ?? 'is malformed'}`);
  }
  // Older builds refuse it, and what one region refuses all do.
  if (wire < FULL_WIRE_VERSION && json.changes.length > CHANGES_WITH_OUTBOX_MAX) {
    throw undecodable(`it has ${json.changes.length} changes, too many for wire version ${wire}`);
  }
  const set: ChangeSet = {
    entityKind: json.entityKind,
    bucket: json.bucket,
    stamp: decodeStamp(json.stamp),
    // A set of before says nothing of it, whatever stands there.
    ...(wire >= WHOLE_WIRE_VERSION && json.whole === true ? { whole: true } : {}),
    changes: json.changes.map(({ entityId, operation, state, trace }) => ({
      entityId,
      operation,
      state: decodeState(state, wire),
      ...(typeof trace === 'string' && TRACEPARENT.test(trace) ? { trace } : {}),
    })),
  };
  const { stamp } = set;
  const hasAdopted = set.changes.some(({ state }) => !hasSeen(state.vector, stamp));
  if (!isWellFormed(set) || (hasAdopted && wire < ADOPTED_WIRE_VERSION)) {
    throw undecodable('its changes do not belong to its stamp');
  }
  return set;
}

/** Returns a set that was stored here, without the impossible stamps that it may have taken long ago. */
export function decodeStoredChangeSet(bytes: Uint8Array): ChangeSet {
  const set = decodeChangeSet(bytes);
  return {
    ...set,
    stamp: toPossibleStamp(set.stamp),
    changes: set.changes.map((change) => ({ ...change, state: toPossibleState(change.state) })),
  };
}

function decodeState(encoded: Static<typeof StateSchema>, wire: number): EntityState {
  const isNameForm = nameFormOf(wire);
  const fields = new Map<string, StampedField>();
  for (const [name, [stamp, value]] of Object.entries(encoded.fields)) {
    if (!isNameForm(name)) throw undecodable(`"${name}" is no field name`);
    fields.set(name, decodeField(name, stamp, value));
  }
  const base = wire >= BASE_WIRE_VERSION ? decodeBase(encoded.base) : undefined;
  const request = wire >= REQUEST_WIRE_VERSION ? decodeRequest(encoded.request) : undefined;
  if (fieldsSince(base, fields).size < fields.size) {
    throw undecodable('a field is stamped before the base of its state');
  }
  const stamps = encoded.vector.map(decodeStamp);
  const vector = new Map(stamps.map((stamp) => [stampRegion(stamp), stamp]));
  if (vector.size !== stamps.length) throw undecodable('a version vector names a region twice');
  return {
    fields,
    alive: encoded.alive === undefined ? undefined : decodeStamp(encoded.alive),
    deleted: encoded.deleted === undefined ? undefined : decodeStamp(encoded.deleted),
    ...(base === undefined ? {} : { base }),
    ...(request === undefined ? {} : { request }),
    vector,
  };
}

function nameFormOf(wire: number): (name: string) => boolean {
  if (wire >= MARK_WIRE_VERSION) return isPropertyName;
  if (wire < BASE_WIRE_VERSION) return hasFieldNameForm;
  // Older builds refuse others, and what one region refuses all do.
  return (name) => isPropertyName(name) && !hasMark(name);
}

function decodeBase(base: unknown): Stamp | undefined {
  if (base === undefined || isStamp(base)) return base;
  throw undecodable('its base is no stamp');
}

function decodeRequest(request: unknown): string | undefined {
  if (request === undefined || isFingerprint(request)) return request;
  throw undecodable('its request is no fingerprint');
}

function decodeField(name: string, stamp: string, encoded: unknown): StampedField {
  const value = decodeFieldValue(encoded);
  if (value === undefined) throw undecodable(`field "${name}" holds no value of its type`);
  return { value, stamp: decodeStamp(stamp) };
}

function decodeStamp(text: string): Stamp {
  if (!isStamp(text)) throw undecodable(`"${text}" is no stamp`);
  return text;
}

function undecodable(what: string, cause?: unknown): TerminalError {
  return new TerminalError('CHANGE_UNDECODABLE', `The message is no change set: ${what}.`, {
    cause,
  });
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Returns what the JSON says. Throws `fault` for what is no UTF-8 or no JSON; a byte order mark is none, for what
 * is archived as it came is to be read alike by everybody (RFC 8259, 8.1).
 */
export function parseJson(bytes: Uint8Array, fault: (cause: unknown) => TerminalError): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch (cause) {
    throw fault(cause);
  }
}
