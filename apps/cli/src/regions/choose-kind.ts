// Whose rows a command is about: one of the entity kinds that the replicator carries, customers by default.
import {
  catalogKind,
  decodeOpenId,
  type EntityKind,
  encodeOpenId,
  isReplicated,
  type MergePolicy,
  openPartitionPrefix,
  otherRowsKind,
  rowsKind,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import type { Command } from 'commander';
import { UsageError } from '../exit-codes.ts';

/** Every entity kind that the shipped replicator carries. */
export const KINDS: readonly EntityKind[] = [customerKind, catalogKind, rowsKind, otherRowsKind];

/** A table of clients, as the catalogue has it. */
export interface ClientTable {
  readonly name: string;
  readonly policy: MergePolicy;
  /** What the ids of its rows begin with. */
  readonly tableId: string;
}

/** A session, as far as it tells whose rows it is about. */
interface AboutKind {
  readonly kind: EntityKind;
  /** Undefined where it is about all rows of the kind. */
  readonly table: ClientTable | undefined;
}

/** Returns the kind of that name, in any case; customers without one, undefined for a name of none. */
export function findKind(name: string | undefined): EntityKind | undefined {
  if (name === undefined) return customerKind;
  return KINDS.find((kind) => kind.name.toLowerCase() === name.toLowerCase());
}

/** Returns the same. Throws `UsageError` for a name of none. */
export function chooseKind(name: string | undefined): EntityKind {
  const found = findKind(name);
  if (found !== undefined) return found;
  const names = KINDS.map((kind) => kind.name).join(', ');
  throw new UsageError(
    `There is no table "${name}" for this command; there is ${names}. The rows of all tables of clients are ${rowsKind.name}.`,
  );
}

/** Adds the option that names the table whose rows a command is about. */
function withTable(command: Command, flag = '--table'): Command {
  return command.option(`${flag} <name>`, 'whose rows: those of the customers by default');
}

const OF_CLIENTS = new WeakSet<Command>();

/** Adds the same to a command that knows the tables of clients by their own names. */
export function withClientTable(command: Command, what = WHOSE): Command {
  OF_CLIENTS.add(command);
  return command.option('--table <name>', what);
}

const WHOSE = 'whose rows: those of the customers by default; a table of clients by its own name';

/** How a row is named, in part or whole. */
export interface RowChoice {
  readonly partition?: string;
  readonly row?: string;
}

/** Adds what names a row, also one of a table of clients by its two keys, to a command that knows these. */
export function withRow(command: Command, flag = '--table'): Command {
  return withTable(command, flag)
    .option(PARTITION, 'of a table of clients: the PartitionKey of the row')
    .option('--row <id>', 'which row: its id, or of a table of clients its RowKey');
}

const PARTITION = '--partition <key>';

/** Tells whether a command knows the tables of clients by their own names. */
export function takesClientTables(command: Command): boolean {
  return OF_CLIENTS.has(command) || command.options.some(({ flags }) => flags === PARTITION);
}

/**
 * Returns the id as it was given; that of a customer, which people paste in either case, as it is spelt. Throws
 * `UsageError` for what is none.
 */
function readEntityId(kind: EntityKind, text: string): string {
  const spellings = kind.name === customerKind.name ? [text, text.toLowerCase()] : [text];
  const found = spellings.find((spelling) => spelling !== '' && kind.isEntityId(spelling));
  if (found !== undefined) return found;
  throw new UsageError(`"${text}" is no id of ${kind.name}.`);
}

/**
 * Returns the id that is named as an argument or by `--row`; of a table of clients the one that its two keys have.
 * Throws `UsageError` for none, and for two.
 */
export function readRowId(
  { kind, table }: AboutKind,
  id: string | undefined,
  { partition, row }: RowChoice,
): string {
  if (table !== undefined) {
    if (id === undefined && partition !== undefined && row !== undefined) {
      return encodeOpenId(table.tableId, { partitionKey: partition, rowKey: row });
    }
    throw new UsageError(`Name the row of ${table.name}: --partition <key> --row <key>.`);
  }
  refusePartition(kind, partition);
  if (id !== undefined && row !== undefined) {
    throw new UsageError('Name the row once: as an argument, or by --row.');
  }
  const text = id ?? row;
  if (text === undefined) throw new UsageError('Name the row: as an argument, or by --row <id>.');
  return readEntityId(kind, text);
}

function refusePartition({ name }: EntityKind, partition: string | undefined): void {
  if (partition === undefined) return;
  throw new UsageError(
    `Rows of ${name} are named by --row alone: --partition is of tables of clients.`,
  );
}

/** Returns what tells whether a row is one of those that are chosen; all of the table by default. */
export function chooseRows(
  { kind, table }: AboutKind,
  { partition, row }: RowChoice,
): (entityId: string) => boolean {
  if (table === undefined) {
    refusePartition(kind, partition);
    if (row === undefined) return () => true;
    const id = readEntityId(kind, row);
    return (entityId) => entityId === id;
  }
  return (entityId) => {
    const key = decodeOpenId(entityId);
    if (key?.tableId !== table.tableId) return false;
    const isOfPartition = partition === undefined || key.partitionKey === partition;
    return isOfPartition && (row === undefined || key.rowKey === row);
  };
}

/**
 * Returns what the ids of the chosen rows of a table of clients begin with: of all, or of one PartitionKey; undefined where
 * it is about no such table.
 */
export function idPrefixOf(
  { kind, table }: AboutKind,
  { partition }: Pick<RowChoice, 'partition'>,
): string | undefined {
  if (table === undefined) {
    refusePartition(kind, partition);
    return undefined;
  }
  return partition === undefined ? table.tableId : openPartitionPrefix(table.tableId, partition);
}

/** Returns how people know a row: of a table of clients by its two keys. */
export function nameRow({ table }: Pick<AboutKind, 'table'>, entityId: string): string {
  const key = table && decodeOpenId(entityId);
  if (table === undefined || key === undefined) return entityId;
  return `${table.name} ${JSON.stringify(key.partitionKey)} ${JSON.stringify(key.rowKey)}`;
}

/** Returns the same for programs. */
export function rowJson(
  { table }: Pick<AboutKind, 'table'>,
  entityId: string,
): Readonly<Record<string, string>> {
  const key = table && decodeOpenId(entityId);
  if (key === undefined) return { id: entityId };
  return { id: entityId, partitionKey: key.partitionKey, rowKey: key.rowKey };
}

/**
 * Throws `UsageError` for a table whose rows do not leave their region: no other region is to be compared with it, or given
 * any of them. `so` says what follows for the command.
 */
export function requireReplicated({ kind, table }: AboutKind, so: string): void {
  if (isReplicated(kind.name)) return;
  throw new UsageError(
    `${table?.name ?? kind.name} is not replicated: each region has rows of its own. ${so}`,
  );
}

/**
 * Throws `UsageError` for the catalogue: what was created and deleted there is never taken back, and the commands
 * that know its rules are others.
 */
export function refuseCatalogue({ kind }: AboutKind, what: string): void {
  if (kind.name !== catalogKind.name) return;
  throw new UsageError(
    `The records of ${kind.name} are never ${what}: tandem tables create, delete and restore keep its rules.`,
  );
}
