import { encodeVector } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createEntityHistory, createTableArchive, type HistoryEntry } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { readEntityId } from '../option-values.ts';
import type { CustomerKind } from '../regions/region.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

const PAGE = 1_000;
const ENTRIES_MAX = 100_000;
const SHOWN_MAX = 100;

export function addHistory({ program, act }: Cli): void {
  const command = program
    .command('history')
    .argument('<id>')
    .description('What the archives have of one entity, oldest first, deleted or not.')
    .option('--region <region>', 'only the archive of this one; all by default');
  act<{ readonly region?: string }>(command, (session, { region }, [id = '']) =>
    show(session, readEntityId(session.kind, id), region),
  );
}

type Entry = HistoryEntry<CustomerKind>;

async function show(session: Session, id: string, only: string | undefined): Promise<Outcome> {
  const regions = await session.open(only === undefined ? undefined : [only]);
  const found = new Map<string, { readonly entry: Entry; readonly archives: string[] }>();
  for (const { name, store, bucketCount } of regions) {
    const archive = createTableArchive({ store });
    const history = createEntityHistory({ archive, kind: customerKind, bucketCount });
    let cursor: string | undefined;
    do {
      const page = await history.read(id, PAGE, cursor);
      for (const entry of page.entries) {
        const key = `${entry.stamp} ${encodeVector(entry.version)}`;
        const known = found.get(key) ?? { entry, archives: [] };
        if (!known.archives.includes(name)) known.archives.push(name);
        found.set(key, known);
      }
      ({ cursor } = page);
    } while (cursor !== undefined && found.size < ENTRIES_MAX);
  }
  const entries = [...found.values()].toSorted((a, b) => (a.entry.stamp < b.entry.stamp ? -1 : 1));
  const [shown, more] = firstRows(entries, SHOWN_MAX);
  const rows = shown.map(({ entry, archives }) => [
    timeText(entry.atMs),
    entry.region,
    entry.operation,
    entry.changedFields.join(', '),
    archives.join(', '),
  ]);
  return {
    text:
      entries.length === 0
        ? `No archive has anything of ${id}.`
        : textTable(['at', 'written in', 'operation', 'fields', 'archived in'], rows) + more,
    json: { id, entries: entries.map(({ entry, archives }) => entryJson(entry, archives)) },
    exitCode: entries.length === 0 ? EXIT.finding : EXIT.ok,
  };
}

function entryJson(entry: Entry, archives: readonly string[]): object {
  const { stamp, atMs, region, operation, changedFields, entity } = entry;
  return { stamp, atMs, region, operation, changedFields, entity: entity ?? null, archives };
}
