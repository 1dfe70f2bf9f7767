import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Compile } from 'typebox/compile';
import type { Io } from '../io.ts';
import { UsageError } from '../usage-error.ts';
import { type Inventory, type InventoryRegion, InventorySchema } from './inventory.ts';

const VARIABLE = 'TANDEM_REGIONS';
/** In which editors and shells save a text: what a byte order mark says, else UTF-8. */
const ENCODINGS = [
  { label: 'utf-8', mark: [0xef, 0xbb, 0xbf] },
  { label: 'utf-16le', mark: [0xff, 0xfe] },
  { label: 'utf-16be', mark: [0xfe, 0xff] },
] as const;
/** The second is what `npm start` writes. */
const FILES = ['tandem.regions.json', '.tandem/tandem.regions.json'] as const;

/**
 * Reads the inventory of the file that is named, else of the variable `TANDEM_REGIONS` (a file, or the JSON
 * itself), else of the first file that is there. Throws `UsageError`.
 */
export async function findInventory(
  { environment, folder }: Pick<Io, 'environment' | 'folder'>,
  file: string | undefined,
): Promise<Inventory> {
  // A variable that was filled from a file may begin with the mark of that.
  const named = (file ?? environment[VARIABLE] ?? '').replace(/^\uFEFF/, '');
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
    return decodeText(file, await readFile(file));
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new UsageError(`${file} cannot be read: ${code}.`);
  }
}

/**
 * Reads bytes as text. Throws `UsageError` for what is none, and for UTF-16 that does not say so.
 */
function decodeText(file: string, bytes: Uint8Array): string {
  const { label } =
    ENCODINGS.find(({ mark }) => mark.every((byte, index) => bytes[index] === byte)) ??
    ENCODINGS[0];
  try {
    // It takes the mark away.
    const text = new TextDecoder(label, { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  throw new UsageError(`${file} is not UTF-8, nor UTF-16 with its mark: save it as UTF-8.`);
}

const checkInventory = Compile(InventorySchema);
const ENV_REFERENCE = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;

/**
 * Reads an inventory. Throws `UsageError`, naming the place and never a value: it may be a secret.
 */
function parseInventory(
  text: string,
  source: string,
  environment: Readonly<Record<string, string | undefined>>,
): Inventory {
  const json = parseJson(text, source);
  if (!checkInventory.Check(json)) {
    const [first] = checkInventory.Errors(json);
    throw new UsageError(
      `${source} is no inventory of regions: ${first?.instancePath || '/'} ${first?.message ?? ''}.`,
    );
  }
  const names = json.regions.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) < index);
  if (repeated !== undefined) throw new UsageError(`${source} names the region ${repeated} twice.`);
  const regions = json.regions.map((region) => resolveRegion(region, { source, environment }));
  return { ...json, regions };
}

interface Surroundings {
  readonly source: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

function resolveRegion(region: InventoryRegion, surroundings: Surroundings): InventoryRegion {
  const entries = Object.entries(region).map(([key, value]) => [
    key,
    resolveText(value, `${key} of ${region.name}`, surroundings),
  ]);
  return Object.fromEntries(entries) as InventoryRegion;
}

function resolveText(text: string, place: string, { source, environment }: Surroundings): string {
  const [, variable] = ENV_REFERENCE.exec(text) ?? [];
  if (variable === undefined) return text;
  const value = environment[variable] ?? '';
  if (value !== '') return value;
  throw new UsageError(`${source}: ${place} is in the variable ${variable}, which is not set.`);
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold a key.
    throw new UsageError(`${source} is not JSON.`);
  }
}
