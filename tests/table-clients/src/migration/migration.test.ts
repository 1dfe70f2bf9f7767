import { expect, it } from 'vitest';
import { runMigration } from './run-migration.ts';

const ROWS = 1_000;
const CLIENTS = 8;

it.each(['azurite', 'sorted'] as const)(
  'I26: a plain table is taken over under live clients, while processes of its home region are killed, and returned, on %s',
  async (store) => {
    const report = await runMigration({
      rows: ROWS,
      clients: CLIENTS,
      kills: 2,
      rowsPerSecond: 200,
      store,
    });
    expect(report).toMatchObject({
      failed: [],
      lost: 0,
      doubled: 0,
      missed: 0,
      heldTagsRefused: 0,
      different: 0,
      proof: { rows: ROWS, deleted: 0 },
      returned: { rows: ROWS, lost: 0, different: 0 },
    });
    // It would show nothing had nobody written, or paged, or held an ETag meanwhile.
    expect(report.writes).toBeGreaterThan(CLIENTS * 10);
    expect(report.returned.writes).toBeGreaterThan(CLIENTS * 5);
    expect(report.passes).toBeGreaterThan(0);
    expect(report.heldTags).toBeGreaterThan(10);
  },
);
