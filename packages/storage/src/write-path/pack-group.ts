import {
  AppError,
  CHANGE_SET_BYTES_MAX,
  CHANGES_PER_SET_MAX,
  type Change,
  type ChangeSet,
  DEFLATED_WIRE_VERSION,
  deflateChangeSet,
  type EntityKind,
  type EntityState,
  encodeChange,
  fitsBytes,
  joinChangeSet,
  latestStamp,
  maxStamp,
  type Operation,
  operationBytes,
  type Replica,
  type RowOperation,
  SET_HEAD_BYTES_MAX,
  type Stamp,
  type StoredRow,
  TerminalError,
  TRANSACTION_BYTES_MAX,
  type Write,
  writeEntity,
} from '@tandem/core';
import { toRowOperation } from '../replica/table-replica.ts';

/** The outbox row holds the change set in Base64, a third longer, beside its other columns. */
const OUTBOX_OPERATION_BYTES_MAX = 512 * 1024;
const ROWS_BYTES_MAX = TRANSACTION_BYTES_MAX - OUTBOX_OPERATION_BYTES_MAX;

/** A write that is decided to happen on `stored`. Each entity stands once among them. */
export interface GroupWrite {
  readonly entityId: string;
  readonly write: Write;
  readonly operation: Operation;
  readonly stored: StoredRow | undefined;
  readonly trace?: string | undefined;
  readonly goesAlone: boolean;
}

export interface PackedGroup<W extends GroupWrite> {
  readonly set: ChangeSet;
  readonly encoded: Uint8Array;
  /** In the order of the set's changes, as are `states` and `operations`. */
  readonly members: readonly W[];
  readonly states: readonly EntityState[];
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
  /** A new stamp greater than the one given. */
  readonly tick: (floor: Stamp | undefined) => Stamp;
  readonly isTooFarAhead: (stamp: Stamp) => boolean;
}

/**
 * Packs as many of the writes as fit one transaction, first come first, under one stamp: at most
 * `CHANGES_PER_SET_MAX`, and no more bytes than a transaction and a message hold.
 */
export function packGroup<W extends GroupWrite>(
  writes: readonly W[],
  options: PackOptions,
): Packing<W> {
  const { company, others } = chooseCompany(writes, options);
  const { kind, bucket } = options;
  const floors = company.flatMap(({ stored }) => (stored && latestStamp(stored.state)) ?? []);
  const stamp = tickOrRefuse(maxStamp(floors), options);
  if (stamp instanceof AppError) {
    const refused = company.map((write) => ({ write, error: stamp }));
    return { group: undefined, left: others, refused };
  }
  const head = { entityKind: kind.name, bucket, stamp };
  const packed: { member: W; change: Change; text: string; operation: RowOperation }[] = [];
  const refused: { write: W; error: TerminalError }[] = [];
  let setBytes = SET_HEAD_BYTES_MAX;
  let rowsBytes = 0;
  let taken = 0;
  for (const member of company) {
    const change = toChange(member, { ...options, stamp });
    const text = encodeChange(change);
    const textBytes = Buffer.byteLength(text) + 1;
    const error =
      findRefusal(member, change, options) ?? findTooLarge(kind, member.entityId, textBytes);
    if (error !== undefined) {
      refused.push({ write: member, error });
      taken += 1;
      continue;
    }
    const operation = toOperation(member, change.state);
    const operationSize = operationBytes(bucket, operation);
    const fits =
      setBytes + textBytes <= CHANGE_SET_BYTES_MAX && rowsBytes + operationSize <= ROWS_BYTES_MAX;
    if (!fits && packed.length > 0) break;
    packed.push({ member, change, text, operation });
    setBytes += textBytes;
    rowsBytes += operationSize;
    taken += 1;
  }
  const left = [...company.slice(taken), ...others];
  if (packed.length === 0) return { group: undefined, left, refused };
  const set = { ...head, changes: packed.map(({ change }) => change) };
  const texts = packed.map(({ text }) => text);
  const plain = joinChangeSet(head, texts);
  const group = {
    set,
    encoded: options.wireVersion >= DEFLATED_WIRE_VERSION ? deflateChangeSet(plain) : plain,
    members: packed.map(({ member }) => member),
    states: packed.map(({ change }) => change.state),
    operations: packed.map(({ operation }) => operation),
  };
  return { group, left, refused };
}

/**
 * One stamp exceeds those of every row in the group, so a row that a broken clock has stamped far
 * ahead would push all others there: it goes alone.
 */
function chooseCompany<W extends GroupWrite>(
  writes: readonly W[],
  { isTooFarAhead }: PackOptions,
): { company: readonly W[]; others: readonly W[] } {
  const isLoner = ({ goesAlone, stored }: W): boolean => {
    const latest = stored && latestStamp(stored.state);
    return goesAlone || (latest !== undefined && isTooFarAhead(latest));
  };
  const [first] = writes;
  if (first === undefined || isLoner(first)) {
    return { company: writes.slice(0, 1), others: writes.slice(1) };
  }
  const company: W[] = [];
  const others: W[] = [];
  for (const write of writes) {
    const isWelcome = company.length < CHANGES_PER_SET_MAX && !isLoner(write);
    (isWelcome ? company : others).push(write);
  }
  return { company, others };
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

function toChange(
  member: GroupWrite,
  { kind, replica, stamp }: PackOptions & { readonly stamp: Stamp },
): Change {
  const { entityId, operation, stored, trace } = member;
  const context = { stored: stored?.state, stamp, policy: kind.policy };
  let state = writeEntity(member.write, context);
  // What an entity holds that no change can carry must not keep it from being deleted.
  if (member.write.kind === 'delete' && replica.faultOf(entityId, state) !== undefined) {
    state = writeEntity({ kind: 'forget' }, context);
  }
  return trace === undefined
    ? { entityId, operation, state }
    : { entityId, operation, state, trace };
}

/** What every region would refuse is not acknowledged here either (I17). */
function findRefusal(
  { entityId, write }: GroupWrite,
  { state }: Change,
  { kind, replica }: PackOptions,
): TerminalError | undefined {
  const fault = replica.faultOf(entityId, state);
  const text = fault?.text ?? findWrittenFault(write, kind);
  if (text === undefined) return undefined;
  return new TerminalError(
    fault?.reason === 'ENTITY_INVALID' ? 'ENTITY_INVALID' : 'TABLE_LIMIT_EXCEEDED',
    `Entity ${entityId} of ${kind.name} would be taken by no region: ${text}.`,
    { details: { entityId } },
  );
}

function findWrittenFault(write: Write, kind: EntityKind): string | undefined {
  if (write.kind !== 'put' && write.kind !== 'patch') return undefined;
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

function toOperation({ entityId, stored }: GroupWrite, state: EntityState): RowOperation {
  return toRowOperation({ entityId, row: { state, referenceId: undefined }, stored });
}

function findTooLarge(
  kind: EntityKind,
  entityId: string,
  bytes: number,
): TerminalError | undefined {
  if (SET_HEAD_BYTES_MAX + bytes <= CHANGE_SET_BYTES_MAX) return undefined;
  return new TerminalError(
    'TABLE_LIMIT_EXCEEDED',
    `Entity ${entityId} of ${kind.name} takes ${bytes} bytes as a change; the limit is ` +
      `${CHANGE_SET_BYTES_MAX}, since it must fit one Service Bus message. Make it smaller.`,
    { details: { bytes, limit: CHANGE_SET_BYTES_MAX } },
  );
}
