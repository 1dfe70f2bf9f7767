import { Compile } from 'typebox/compile';
import { UsageError } from '../usage-error.ts';
import { type Inventory, type InventoryRegion, InventorySchema } from './inventory.ts';

const checkInventory = Compile(InventorySchema);
const VARIABLE = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;

/** Throws `UsageError`, naming the place and never a value: it may be a secret. */
export function parseInventory(
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
  const [, variable] = VARIABLE.exec(text) ?? [];
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
