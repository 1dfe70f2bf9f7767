import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { TerminalError } from '../errors.ts';
import { CHANGES_PER_SET_MAX, type ChangeSet, isWellFormed } from '../model/change-set.ts';
import { type EntityState, hasFieldNameForm, type StampedField } from '../state/entity-state.ts';
import { toPossibleStamp, toPossibleState } from '../state/possible-state.ts';
import { isStamp, type Stamp, stampRegion } from '../time/stamp.ts';
import { decodeFieldValue } from '../values/encode-field-value.ts';
import { inflateChangeSet } from './deflate-change-set.ts';
import { parseJson } from './parse-json.ts';
import { DEFLATED_WIRE_VERSION, WIRE_VERSION } from './versions.ts';

const StampText = Type.String({ maxLength: 80 });

const StateSchema = Type.Object({
  fields: Type.Record(Type.String(), Type.Tuple([StampText, Type.Unknown()])),
  alive: Type.Optional(StampText),
  deleted: Type.Optional(StampText),
  vector: Type.Array(StampText, { minItems: 1, maxItems: 64 }),
});

const ChangeSetSchema = Type.Object({
  entityKind: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9]{0,40}$' }),
  bucket: Type.String({ pattern: '^[0-9a-f]{2}$' }),
  stamp: StampText,
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

/** The W3C form, version 00. */
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

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
  if (json.wire > DEFLATED_WIRE_VERSION) {
    throw new TerminalError(
      'CHANGE_TOO_NEW',
      `The change set has wire version ${json.wire}; this build reads up to ${DEFLATED_WIRE_VERSION}. ` +
        'Upgrade this region, then resubmit the message.',
      { details: { wire: json.wire } },
    );
  }
  if (json.wire !== WIRE_VERSION) {
    throw undecodable(`a set is not written like this in wire version ${json.wire}`);
  }
  if (!checkChangeSet.Check(json)) {
    const [first] = checkChangeSet.Errors(json);
    throw undecodable(`${first?.instancePath ?? '/'} ${first?.message ?? 'is malformed'}`);
  }
  const set: ChangeSet = {
    entityKind: json.entityKind,
    bucket: json.bucket,
    stamp: decodeStamp(json.stamp),
    changes: json.changes.map(({ entityId, operation, state, trace }) => ({
      entityId,
      operation,
      state: decodeState(state),
      ...(typeof trace === 'string' && TRACEPARENT.test(trace) ? { trace } : {}),
    })),
  };
  if (!isWellFormed(set)) throw undecodable('its changes do not belong to its stamp');
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

function decodeState(encoded: Static<typeof StateSchema>): EntityState {
  const fields = Object.entries(encoded.fields).map(([name, [stamp, value]]) =>
    decodeField(name, stamp, value),
  );
  const stamps = encoded.vector.map(decodeStamp);
  const vector = new Map(stamps.map((stamp) => [stampRegion(stamp), stamp]));
  if (vector.size !== stamps.length) throw undecodable('a version vector names a region twice');
  return {
    fields: new Map(fields),
    alive: encoded.alive === undefined ? undefined : decodeStamp(encoded.alive),
    deleted: encoded.deleted === undefined ? undefined : decodeStamp(encoded.deleted),
    vector,
  };
}

function decodeField(name: string, stamp: string, encoded: unknown): [string, StampedField] {
  if (!hasFieldNameForm(name)) throw undecodable(`"${name}" is no field name`);
  const value = decodeFieldValue(encoded);
  if (value === undefined) throw undecodable(`field "${name}" holds no value of its type`);
  return [name, { value, stamp: decodeStamp(stamp) }];
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
