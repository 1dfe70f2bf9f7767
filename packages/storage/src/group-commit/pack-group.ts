import {
  type Change,
  type ChangeSet,
  CHANGES_PER_SET_MAX,
  deflateChangeSet,
  DEFLATED_WIRE_VERSION,
  encodeChange,
  type EntityKind,
  type EntityState,
  joinChangeSet,
  latestStamp,
  maxStamp,
  type Operation,
  operationBytes,
  type RowOperation,
  type Stamp,
  type StoredRow,
  TerminalError,
  TRANSACTION_BYTES_MAX,
  type Write,
  writeEntity,
} from '@tandem/core';
import { toRowOperation } from '../replica/table-replica.ts';

/**
 * A change set must fit one Service Bus message, 256 KiB on Standard with its headers and
 * properties (https://learn.microsoft.com/azure/service-bus-messaging/service-bus-quotas).
 */
export const CHANGE_SET_BYTES_MAX = 240 * 1024;

/** The outbox row holds the change set in Base64, a third longer, beside its other columns. */
const OUTBOX_OPERATION_BYTES_MAX = 512 * 1024;
const ROWS_BYTES_MAX = TRANSACTION_BYTES_MAX - OUTBOX_OPERATION_BYTES_MAX;
/** The members of a change set besides its changes. */
const SET_HEAD_BYTES_MAX = 512;

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

export interface Packing<W extends GroupWrite> {
  /** Undefined when no write fits any transaction. */
  readonly group: PackedGroup<W> | undefined;
  /** In their order; they go with a later group. */
  readonly left: readonly W[];
  readonly tooLarge: readonly { readonly write: W; readonly error: TerminalError }[];
}

export interface PackOptions {
  readonly kind: EntityKind;
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
  const head = { entityKind: kind.name, bucket, stamp: options.tick(maxStamp(floors)) };
  const packed: { member: W; change: Change; text: string; operation: RowOperation }[] = [];
  const tooLarge: { write: W; error: TerminalError }[] = [];
  let setBytes = SET_HEAD_BYTES_MAX;
  let rowsBytes = 0;
  let taken = 0;
  for (const member of company) {
    const change = toChange(member, { kind, stamp: head.stamp });
    const text = encodeChange(change);
    const textBytes = Buffer.byteLength(text) + 1;
    if (SET_HEAD_BYTES_MAX + textBytes > CHANGE_SET_BYTES_MAX) {
      tooLarge.push({ write: member, error: errorTooLarge(kind, member.entityId, textBytes) });
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
  if (packed.length === 0) return { group: undefined, left, tooLarge };
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
  return { group, left, tooLarge };
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

function toChange(
  { entityId, write, operation, stored, trace }: GroupWrite,
  { kind, stamp }: { kind: EntityKind; stamp: Stamp },
): Change {
  const state = writeEntity(write, { stored: stored?.state, stamp, policy: kind.policy });
  return trace === undefined
    ? { entityId, operation, state }
    : { entityId, operation, state, trace };
}

function toOperation({ entityId, stored }: GroupWrite, state: EntityState): RowOperation {
  return toRowOperation({ entityId, row: { state, referenceId: undefined }, stored });
}

function errorTooLarge(kind: EntityKind, entityId: string, bytes: number): TerminalError {
  return new TerminalError(
    'TABLE_LIMIT_EXCEEDED',
    `Entity ${entityId} of ${kind.name} takes ${bytes} bytes as a change; the limit is ` +
      `${CHANGE_SET_BYTES_MAX}, since it must fit one Service Bus message. Make it smaller.`,
    { details: { bytes, limit: CHANGE_SET_BYTES_MAX } },
  );
}
