import { bucketNames, type TableStore } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { createTableRowScanner, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import type { CliHarness } from './cli-harness.ts';

/** What the histories write: few enough for each to be written often. */
export const IDS = Array.from({ length: 8 }, (_, n) => `00b479c9-f61f-451a-86d2-ee8cc047c18${n}`);
type Seen = Readonly<Record<string, unknown>>;

/** Reads what a reader is answered: the live customers by id. */
export async function readLive({ regions }: CliHarness, name: 'east' | 'west'): Promise<Seen> {
  const { records } = await regions[name].table.list(1_000);
  return Object.fromEntries(records.map(({ entityId, entity }) => [entityId, entity]));
}

/** Reads the same of a table that a replay made. */
export async function readTable(store: TableStore, table: string): Promise<Seen> {
  const seen: Record<string, unknown> = {};
  const fields = [...customerKind.edmTypes.keys()];
  for (const bucket of bucketNames(MEMORY_BUCKET_COUNT)) {
    for await (const row of createTableRowScanner({ store, kind: customerKind, table }).scan(
      bucket,
    )) {
      if (row.kind === 'damaged') throw new Error(row.problem);
      const { alive = '', deleted = '', fields: values } = row.row.state;
      if (alive < deleted) continue;
      const entity = fields.map((name) => [name, values.get(name)?.value?.value ?? null]);
      seen[row.row.entityId] = Object.fromEntries(entity);
    }
  }
  return seen;
}

interface Point {
  readonly atMs: number;
  readonly seen: Seen;
}

/** Writes at random in both regions; tells after each what a reader was answered at that time. */
export async function createHistory(harness: CliHarness, count: number): Promise<readonly Point[]> {
  const { regions } = harness;
  const random = createSeededRandomness(7);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random.fraction() * items.length)]!;
  const points: Point[] = [];
  for (let n = 0; n < count; n += 1) {
    const { table } = regions[pick(['east', 'west'] as const)];
    const id = pick(IDS);
    const kind = pick(['put', 'put', 'patch', 'patch', 'remove'] as const);
    if (kind === 'put') await table.put(id, { email: `${n}@example.com`, firstName: `first ${n}` });
    if (kind === 'patch') await table.patch(id, { phoneNumber: `555-${n}` });
    if (kind === 'remove') await table.remove(id);
    await regions.settle();
    await regions.clock.advance(5);
    points.push({ atMs: regions.clock.nowMs(), seen: await readLive(harness, 'east') });
    await regions.clock.advance(5);
  }
  return points;
}

/** Returns an instant as the command line takes it. */
export function at(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
