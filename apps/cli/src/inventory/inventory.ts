import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { readPastedText } from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { UsageError } from '../exit-codes.ts';
import type { Io } from '../io.ts';

const REGIONS_MAX = 33;

const RegionSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9]{0,30}$' }),
    /** Connection string of the storage account, or the URL of its tables for an identity. */
    storage: Type.String({ minLength: 1 }),
    /** Connection string of the namespace, or its host name; by default what the region is set to. */
    serviceBus: Type.Optional(Type.String({ minLength: 1 })),
    /** Where queues are administered, if elsewhere. */
    serviceBusAdministration: Type.Optional(Type.String({ minLength: 1 })),
    queue: Type.Optional(Type.String({ minLength: 1 })),
    /** Is the base URL of the customer API. */
    api: Type.Optional(Type.String({ pattern: '^https?://' })),
    /** Base URL of the replicator's status. */
    replicator: Type.Optional(Type.String({ pattern: '^https?://' })),
    /** Is the file with the ids of its processes, of a region on this machine: `npm start` writes it. */
    processes: Type.Optional(Type.String({ minLength: 1 })),
  },
  { additionalProperties: false },
);

/** `tandem.regions.json`: where the regions are. A text `env:NAME` stands for a variable. */
const InventorySchema = Type.Object(
  {
    version: Type.Literal(1),
    regions: Type.Array(RegionSchema, { minItems: 1, maxItems: REGIONS_MAX }),
    trafficManager: Type.Optional(Type.String({ pattern: '^https?://' })),
  },
  { additionalProperties: false },
);

export type Inventory = Static<typeof InventorySchema>;
export type InventoryRegion = Static<typeof RegionSchema>;

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
  const given = readPasted(text, `${source}: ${place}`);
  const [, variable] = ENV_REFERENCE.exec(given) ?? [];
  if (variable === undefined) {
    if (given !== '') return given;
    throw new UsageError(`${source}: ${place} is empty.`);
  }
  const where = `${source}: ${place} is in the variable ${variable}, which`;
  const value = readPasted(environment[variable] ?? '', where);
  if (value !== '') return value;
  throw new UsageError(`${where} is not set.`);
}

/** Reads a text that somebody may have pasted. Throws `UsageError` that begins with `where`, for what nobody can see in it. */
export function readPasted(given: string, where: string): string {
  const read = readPastedText(given);
  if (read.kind === 'text') return read.text;
  throw new UsageError(`${where} ${read.problem}.`);
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which may hold a key.
    throw new UsageError(`${source} is not JSON.`);
  }
}
