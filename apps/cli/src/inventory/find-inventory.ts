import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Io } from '../io.ts';
import { UsageError } from '../usage-error.ts';
import type { Inventory } from './inventory.ts';
import { parseInventory } from './parse-inventory.ts';

const VARIABLE = 'TANDEM_REGIONS';
/** The second is what `npm start` writes. */
const FILES = ['tandem.regions.json', '.tandem/tandem.regions.json'] as const;

/**
 * The inventory of the file that is named, else of the variable `TANDEM_REGIONS` (a file, or the JSON
 * itself), else of the first file that is there. Throws `UsageError`.
 */
export async function findInventory(
  { environment, folder }: Pick<Io, 'environment' | 'folder'>,
  file: string | undefined,
): Promise<Inventory> {
  const named = file ?? environment[VARIABLE] ?? '';
  if (named.trimStart().startsWith('{')) return parseInventory(named, VARIABLE, environment);
  for (const candidate of named === '' ? FILES : [named]) {
    const text = await readText(resolve(folder, candidate));
    if (text !== undefined) return parseInventory(text, candidate, environment);
  }
  throw new UsageError(
    named === ''
      ? `There is no inventory of regions: neither ${FILES.join(' nor ')} is here, and ${VARIABLE} ` +
          'is not set. Name one with --regions <file>; docs/cli.md shows what is in it.'
      : `There is no inventory of regions at ${named}.`,
  );
}

async function readText(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UsageError(`${file} cannot be read: ${code}.`);
  }
}
