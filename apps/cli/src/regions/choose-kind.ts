// Whose rows a command is about: one of the entity kinds that the replicator carries, customers by default.
import { catalogKind, type EntityKind, rowsKind, type TypedKind } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import type { Command } from 'commander';
import { UsageError } from '../usage-error.ts';

/** Every entity kind that the shipped replicator carries. */
export const KINDS: readonly EntityKind[] = [customerKind, catalogKind, rowsKind];

/** A session, as far as it tells whose rows it is about. */
interface AboutKind {
  readonly kind: EntityKind;
}

/** Returns the kind of that name, in any case; customers without one. Throws `UsageError` for a name of none. */
export function chooseKind(name: string | undefined): EntityKind {
  if (name === undefined) return customerKind;
  const found = KINDS.find((kind) => kind.name.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  const names = KINDS.map((kind) => kind.name).join(', ');
  throw new UsageError(`There is no table "${name}"; there is ${names}.`);
}

/** Adds the option that names the table whose rows a command is about. */
export function withTable(command: Command, flag = '--table'): Command {
  return command.option(`${flag} <name>`, 'whose rows: those of the customers by default');
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

/** Returns the id that is named as an argument or by `--row`. Throws `UsageError` for none, and for two. */
export function readRowId(
  { kind }: AboutKind,
  id: string | undefined,
  row: string | undefined,
): string {
  if (id !== undefined && row !== undefined) {
    throw new UsageError('Name the row once: as an argument, or by --row.');
  }
  const text = id ?? row;
  if (text === undefined) throw new UsageError('Name the row: as an argument, or by --row <id>.');
  return readEntityId(kind, text);
}

/** Returns the kind of the session. Throws `UsageError` for one whose columns nobody declares. */
export function requireTyped({ kind }: AboutKind, command: string): TypedKind {
  if (kind.form === 'typed') return kind;
  throw new UsageError(
    `tandem ${command} knows no rows of ${kind.name} yet, whose columns nobody declares: verify, repair, at-risk, ` +
      'replay and rebuild-region do.',
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
