import {
  AppError,
  assert,
  BASE_WIRE_VERSION,
  CHANGE_SET_BYTES_MAX,
  CHANGES_WITH_OUTBOX_MAX,
  type Change,
  type ChangeSet,
  DEFLATED_WIRE_VERSION,
  deflateChangeSet,
  type EntityKind,
  type EntityState,
  encodeChange,
  findMarkFault,
  fitsBytes,
  fragmentCountOf,
  joinChangeSet,
  LARGE_SET_BOUNDS,
  LARGE_SET_PLAIN_BYTES_MAX,
  LARGE_WIRE_VERSION,
  type LargeSetBounds,
  latestStamp,
  maxStamp,
  NULL_UNITS_MAX,
  operationBytes,
  PROPERTIES_MAX,
  REQUEST_WIRE_VERSION,
  type Replica,
  ROWS_PER_TRANSACTION_MAX,
  type RowOperation,
  SET_HEAD_BYTES_MAX,
  type Stamp,
  TerminalError,
  TRANSACTION_BYTES_MAX,
  type TypedKind,
  writeEntity,
} from '@tandem/core';
import { toRowOperation } from '../rows/entity-row.ts';
import type { Basis, EntityChange, RowWrite } from './decide-write.ts';

/** The outbox row of several writes holds their change set in Base64, a third longer, beside its other columns. */
const OUTBOX_OPERATION_BYTES_MAX = 512 * 1024;
const ROWS_BYTES_MAX = TRANSACTION_BYTES_MAX - OUTBOX_OPERATION_BYTES_MAX;
/** Is what a row takes more in other regions, which it names its place in the archive for, or with a mark. */
const ROW_BYTES_ELSEWHERE = 512;

/** Stands for a write that is decided to happen. Each entity stands once among the changes of all. */
export interface GroupWrite {
  /** Are done together or not at all. */
  readonly changes: readonly GroupChange[];
  readonly trace: string | undefined;
  /** The fingerprint of the request that asks for them. */
  readonly request: string | undefined;
  readonly goesAlone: boolean;
}

interface GroupChange extends Pick<EntityChange, 'entityId' | 'write' | 'policy'> {
  readonly basis: Basis | undefined;
}

export interface PackedGroup<W extends GroupWrite> {
  readonly set: ChangeSet;
  readonly encoded: Uint8Array;
  /** In the order of the set's changes, which are theirs one after the other. */
  readonly members: readonly W[];
  /** One to a change, as are the operations. */
  readonly states: readonly EntityState[];
  /** Names the entity whose row bears the mark of the set, where that has to be prepared. */
  readonly prepared: string | undefined;
  readonly operations: readonly RowOperation[];
}

interface Packing<W extends GroupWrite> {
  /** Undefined when no write fits any transaction. */
  readonly group: PackedGroup<W> | undefined;
  /** In their order; they go with a later group. */
  readonly left: readonly W[];
  /** Nothing of them is done: they fit nowhere, or no stamp is left for them. */
  readonly refused: readonly { readonly write: W; readonly error: AppError }[];
}

interface PackOptions {
  readonly kind: EntityKind;
  /** Says what no region would take. */
  readonly replica: Pick<Replica, 'faultOf'>;
  readonly bucket: string;
  readonly wireVersion: number;
  /** Says which sets are large, and where these are cut; the bounds of a message by default. */
  readonly largeSets?: LargeSetBounds | undefined;
  /** Returns a new stamp greater than the one given. */
  readonly tick: (floor: Stamp | undefined) => Stamp;
  readonly isTooFarAhead: (stamp: Stamp) => boolean;
}

/**
 * Packs as many of the writes as fit one transaction, first come first, under one stamp: at most
 * `CHANGES_WITH_OUTBOX_MAX`, and no more bytes than a transaction and a message hold; or one write of more alone.
 */
export function packGroup<W extends GroupWrite>(
  writes: readonly W[],
  options: PackOptions,
): Packing<W> {
  const { company, others } = chooseCompany(writes, options);
  const { kind, bucket } = options;
  const floors = company.flatMap(({ changes }) => changes.flatMap((one) => latestOf(one) ?? []));
  const stamp = tickOrRefuse(maxStamp(floors), options);
  if (stamp instanceof AppError) {
    const refused = company.map((write) => ({ write, error: stamp }));
    return { group: undefined, left: others, refused };
  }
  const bare = { entityKind: kind.name, bucket, stamp };
  const stamped = { ...options, stamp };
  const { members, packed, refused, rowsBytes } = gatherGroup(company, stamped);
  const gone = new Set([...members, ...refused.map(({ write }) => write)]);
  // In their order, which nobody loses by being too large: so each comes to be the first.
  const left = writes.filter((write) => !gone.has(write));
  if (packed.length === 0) return { group: undefined, left, refused };
  // Who travels with a transaction shares its lot: a set is applied whole, or each of its changes by itself.
  const isWhole = members.some(({ changes }) => changes.length > 1);
  const head = isWhole ? { ...bare, whole: true as const } : bare;
  const set = { ...head, changes: packed.map(({ change }) => change) };
  const texts = packed.map(({ text }) => text);
  const encoded = orRefusal(() => encodeGroup({ set, texts }, options));
  const [first] = members;
  if (encoded instanceof TerminalError) {
    // A write alone is the only one that can be too large.
    const refusals = members.map((write) => ({ write, error: encoded }));
    return { group: undefined, left, refused: [...refused, ...refusals] };
  }
  const prepared =
    first !== undefined && hasNoRoom({ count: packed.length, rowsBytes, encoded })
      ? chooseMarked(first)
      : undefined;
  const group = {
    set,
    encoded,
    members,
    prepared,
    states: packed.map(({ change }) => change.state),
    operations: packed.map(({ change, operation, toMarked }) =>
      change.entityId === prepared ? toMarked() : operation,
    ),
  };
  return { group, left, refused };
}

interface Gathered<W extends GroupWrite> {
  readonly members: readonly W[];
  readonly packed: readonly PackedChange[];
  readonly refused: readonly { readonly write: W; readonly error: TerminalError }[];
  readonly rowsBytes: number;
}

/** Takes the writes in their order while there is room for them. */
function gatherGroup<W extends GroupWrite>(
  company: readonly W[],
  stamped: StampedOptions,
): Gathered<W> {
  const members: W[] = [];
  const packed: PackedChange[] = [];
  const refused: { write: W; error: TerminalError }[] = [];
  let setBytes = SET_HEAD_BYTES_MAX;
  let rowsBytes = 0;
  for (const write of company) {
    const own = packWrite(write, stamped);
    if (own instanceof TerminalError) {
      refused.push({ write, error: own });
      continue;
    }
    const fits =
      setBytes + own.setBytes <= CHANGE_SET_BYTES_MAX &&
      rowsBytes + own.rowsBytes <= ROWS_BYTES_MAX;
    if (!fits && packed.length > 0) break;
    members.push(write);
    packed.push(...own.packed);
    setBytes += own.setBytes;
    rowsBytes += own.rowsBytes;
  }
  return { members, packed, refused, rowsBytes };
}

function encodeGroup(
  { set, texts }: { readonly set: ChangeSet; readonly texts: readonly string[] },
  { wireVersion, largeSets = LARGE_SET_BOUNDS }: PackOptions,
): Uint8Array {
  const isKnown = wireVersion >= LARGE_WIRE_VERSION;
  const encoded = joinChangeSet(set, texts, isKnown ? largeSets : LARGE_SET_BOUNDS);
  return wireVersion >= DEFLATED_WIRE_VERSION ? deflateChangeSet(encoded) : encoded;
}

interface GroupSize {
  readonly count: number;
  readonly rowsBytes: number;
  readonly encoded: Uint8Array;
}

/** Is what an outbox row takes besides what is deflated in it. */
const OUTBOX_ROW_BYTES_MAX = 4 * 1024;

/** Tells whether a transaction has no room for the outbox rows beside the others. */
function hasNoRoom({ count, rowsBytes, encoded }: GroupSize): boolean {
  const outboxRows = fragmentCountOf(encoded);
  // A fragment lies there deflated, a third shorter than in Base64, as which it is sent; any other set as it is.
  const sentBytes = outboxRows === 1 ? (encoded.length * 4) / 3 : encoded.length;
  const bytes = rowsBytes + sentBytes + outboxRows * OUTBOX_ROW_BYTES_MAX;
  return count + outboxRows > ROWS_PER_TRANSACTION_MAX || bytes > TRANSACTION_BYTES_MAX;
}

/**
 * One stamp exceeds those of every row in the group, so a row that a broken clock has stamped far
 * ahead would push all others there: it goes alone.
 */
function chooseCompany<W extends GroupWrite>(
  writes: readonly W[],
  { isTooFarAhead }: PackOptions,
): { company: readonly W[]; others: readonly W[] } {
  const isLoner = ({ goesAlone, changes }: W): boolean =>
    goesAlone ||
    changes.length > CHANGES_WITH_OUTBOX_MAX ||
    changes.some((one) => {
      const latest = latestOf(one);
      return latest !== undefined && isTooFarAhead(latest);
    });
  const [first] = writes;
  if (first === undefined || isLoner(first)) {
    return { company: writes.slice(0, 1), others: writes.slice(1) };
  }
  const company: W[] = [];
  const others: W[] = [];
  let room = CHANGES_WITH_OUTBOX_MAX;
  for (const write of writes) {
    const isWelcome = write.changes.length <= room && !isLoner(write);
    (isWelcome ? company : others).push(write);
    if (isWelcome) room -= write.changes.length;
  }
  return { company, others };
}

function latestOf({ basis }: GroupChange): Stamp | undefined {
  const state = basis && stateIn(basis);
  return state && latestStamp(state);
}

/** Returns what a change is written on. */
function stateIn({ stored, adopted }: Basis): EntityState | undefined {
  return stored?.state ?? adopted;
}

function tickOrRefuse(
  floor: Stamp | undefined,
  { tick }: Pick<PackOptions, 'tick'>,
): Stamp | AppError {
  try {
    return tick(floor);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

interface PackedChange {
  readonly change: Change;
  readonly text: string;
  readonly operation: RowOperation;
  /** Returns the operation of the row with the mark of the set. */
  readonly toMarked: () => RowOperation;
}

interface PackedWrite {
  readonly packed: readonly PackedChange[];
  readonly setBytes: number;
  readonly rowsBytes: number;
}

type StampedOptions = PackOptions & { readonly stamp: Stamp };

/**
 * Returns the entity whose row is to tell that the set was committed, where no outbox row fits beside the rows: one
 * that is there, if any is, for then nothing has to be made to say that it was not.
 */
function chooseMarked({ changes }: Pick<GroupWrite, 'changes'>): string | undefined {
  return (changes.find(({ basis }) => basis?.stored !== undefined) ?? changes[0])?.entityId;
}

/** Returns why no region would take the write, where none would. */
function packWrite(
  { changes, trace, request }: GroupWrite,
  options: StampedOptions,
): PackedWrite | TerminalError {
  const packed: PackedChange[] = [];
  let setBytes = 0;
  let rowsBytes = 0;
  const isOfSeveral = changes.length > 1;
  for (const [index, one] of changes.entries()) {
    const { entityId, basis } = one;
    assert(basis !== undefined, 'only what is decided to happen is packed');
    const { operation, stored } = basis;
    const state = toState(one, stateIn(basis), { ...options, isOfSeveral, request });
    const refusal = findRefusal(one, state, options);
    if (refusal !== undefined) return isOfSeveral ? ofOperation(index, refusal) : refusal;
    const change =
      trace === undefined ? { entityId, operation, state } : { entityId, operation, state, trace };
    const text = encodeChange(change);
    const { kind, stamp: prepared } = options;
    const bare = { state, referenceId: undefined };
    const row = orRefusal(() => toRowOperation(kind, { entityId, row: bare, stored }));
    if (row instanceof TerminalError) return isOfSeveral ? ofOperation(index, row) : row;
    const toMarked = (): RowOperation =>
      toRowOperation(kind, { entityId, row: { ...bare, prepared }, stored });
    packed.push({ change, text, operation: row, toMarked });
    setBytes += Buffer.byteLength(text) + 1;
    rowsBytes += operationBytes(options.bucket, row);
  }
  return findTooLarge({ changes, setBytes, rowsBytes }, options) ?? { packed, setBytes, rowsBytes };
}

function orRefusal<T>(work: () => T): T | TerminalError {
  try {
    return work();
  } catch (error) {
    if (error instanceof TerminalError) return error;
    throw error;
  }
}

function toState(
  { entityId, write, policy }: GroupChange,
  stored: EntityState | undefined,
  {
    kind,
    replica,
    stamp,
    wireVersion,
    isOfSeveral,
    request,
  }: StampedOptions & Pick<GroupWrite, 'request'> & { readonly isOfSeveral: boolean },
): EntityState {
  if (write.kind === 'adopt') {
    assert(stored !== undefined, 'what is adopted has a state');
    return stored;
  }
  const context = {
    stored,
    stamp,
    policy: policy ?? kind.policy,
    mayTakeBase: wireVersion >= BASE_WIRE_VERSION,
    nullUnitsMax: kind.form === 'open' ? NULL_UNITS_MAX : undefined,
    stampsUnchanged: isOfSeveral,
    request: wireVersion >= REQUEST_WIRE_VERSION ? request : undefined,
  };
  const state = writeEntity(write, context);
  // What an entity holds that no change can carry must not keep it from being deleted.
  const isStuck = write.kind === 'delete' && replica.faultOf(entityId, state) !== undefined;
  return isStuck ? writeEntity({ kind: 'forget' }, context) : state;
}

/** Finds what every region would refuse: it is not acknowledged here either (I17). */
function findRefusal(
  { entityId, write, basis }: GroupChange,
  state: EntityState,
  { kind, replica, wireVersion }: PackOptions,
): TerminalError | undefined {
  const fault =
    replica.faultOf(entityId, state) ?? findMarkFault(namesIn(write, state), wireVersion);
  const text =
    fault?.text ??
    (kind.form === 'open'
      ? findTooMany(state, basis && stateIn(basis))
      : findWrittenFault(write, kind));
  if (text === undefined) return undefined;
  return new TerminalError(
    fault?.reason === 'ENTITY_INVALID' ? 'ENTITY_INVALID' : 'TABLE_LIMIT_EXCEEDED',
    `Entity ${entityId} of ${kind.name} would be taken by no region: ${text}.`,
    { details: { entityId, reason: fault?.reason ?? 'FIELD_UNKNOWN' } },
  );
}

/** Returns the names that the write brings: those that a peer brought stand in its way no more. */
function namesIn(write: RowWrite, { fields }: EntityState): readonly string[] {
  if (write.kind === 'adopt') return [...fields.keys()];
  return 'values' in write ? [...write.values.keys()] : [];
}

/** Says of which operation of a transaction a refusal is, and that it refuses all. */
function ofOperation(index: number, { code, message, details }: TerminalError): TerminalError {
  return new TerminalError(
    code,
    `Operation ${index} of a transaction, so none is done: ${message}`,
    {
      details: { ...details, index },
    },
  );
}

/** Concurrent writes may join to more; what leaves it at no more is no fault, or they could not be undone. */
function findTooMany(state: EntityState, stored: EntityState | undefined): string | undefined {
  const count = valuesIn(state);
  if (count <= PROPERTIES_MAX || count <= valuesIn(stored)) return undefined;
  return `it has ${count} properties, the limit is ${PROPERTIES_MAX}. Join some into one`;
}

function valuesIn(state: EntityState | undefined): number {
  let count = 0;
  for (const { value } of state?.fields.values() ?? []) if (value !== null) count += 1;
  return count;
}

function findWrittenFault(write: RowWrite, kind: TypedKind): string | undefined {
  if (!('values' in write)) return undefined;
  for (const [name, value] of write.values) {
    const bytesMax = kind.budgets.get(name)?.writtenBytesMax;
    if (value === null || bytesMax === undefined || fitsBytes(value, bytesMax)) continue;
    return (
      `its field "${name}" takes more than ${bytesMax} bytes in JSON, its share of a change set when it ` +
      'is written. Make it smaller, or declare the maxLength of other fields'
    );
  }
  return undefined;
}

interface WriteSize {
  readonly changes: readonly GroupChange[];
  readonly setBytes: number;
  readonly rowsBytes: number;
}

function findTooLarge(
  { changes, setBytes, rowsBytes }: WriteSize,
  { kind, wireVersion }: PackOptions,
): TerminalError | undefined {
  const isLargeKnown = wireVersion >= LARGE_WIRE_VERSION;
  const limit = isLargeKnown ? LARGE_SET_PLAIN_BYTES_MAX : CHANGE_SET_BYTES_MAX;
  const [first] = changes;
  const [what, remedy] =
    changes.length > 1
      ? [
          `A transaction of ${changes.length} operations, from entity ${first?.entityId} on,`,
          'Split it',
        ]
      : [`Entity ${first?.entityId}`, 'Make it smaller'];
  if (SET_HEAD_BYTES_MAX + setBytes > limit) {
    const why = isLargeKnown
      ? 'with all that its entities hold'
      : `since it must fit one Service Bus message below Messages.WireVersion ${LARGE_WIRE_VERSION}`;
    return new TerminalError(
      'TABLE_LIMIT_EXCEEDED',
      `${what} of ${kind.name} takes ${setBytes} bytes as a change; the limit is ${limit}, ${why}. ${remedy}.`,
      { details: { bytes: setBytes, limit } },
    );
  }
  // As every region will write it.
  const bytes = rowsBytes + changes.length * ROW_BYTES_ELSEWHERE;
  if (bytes <= TRANSACTION_BYTES_MAX) return undefined;
  return new TerminalError(
    'TABLE_LIMIT_EXCEEDED',
    `${what} of ${kind.name} takes up to ${bytes} bytes in the table with what is ours of each row; the limit of one ` +
      `transaction is ${TRANSACTION_BYTES_MAX}. ${remedy}.`,
    { details: { bytes, limit: TRANSACTION_BYTES_MAX } },
  );
}
