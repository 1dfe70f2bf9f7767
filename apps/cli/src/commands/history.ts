import {
  type EncodedFieldValue,
  type EntityKind,
  type EntityState,
  encodeFieldValue,
  encodeVector,
  isAlive,
  toEntity,
} from '@tandem/core';
import { createStateHistory, createTableArchive, type StateHistoryEntry } from '@tandem/storage';
import type { Cli, Outcome } from '../act.ts';
import { EXIT } from '../exit-codes.ts';
import { nameRow, type RowChoice, readRowId, rowJson, withRow } from '../regions/choose-kind.ts';
import { firstRows, textTable, timeText } from '../report/text-table.ts';
import type { Session } from '../session.ts';

const PAGE = 1_000;
const ENTRIES_MAX = 100_000;
const SHOWN_MAX = 100;

export function addHistory({ program, act }: Cli): void {
  const command = program
    .command('history')
    .argument('[id]')
    .description('What the archives have of one entity, oldest first, deleted or not.')
    .option('--region <region>', 'only the archive of this one; all by default');
  act<RowChoice & { readonly region?: string }>(
    withRow(command),
    async (session, { region, ...choice }, [id]) =>
      show(session, readRowId(session, id, choice), region),
  );
}

type Entry = StateHistoryEntry;

async function show(session: Session, id: string, only: string | undefined): Promise<Outcome> {
  const { kind } = session;
  const regions = await session.open(only === undefined ? undefined : [only]);
  const found = new Map<string, { readonly entry: Entry; readonly archives: string[] }>();
  const archiveFromMs: Record<string, number | null> = {};
  for (const { name, store, bucketCount, recovery } of regions) {
    const { archive: kept, entityKind } = recovery;
    archiveFromMs[name] = (await kept.horizonMs(entityKind, session.table?.tableId)) ?? null;
    const archive = createTableArchive({ store });
    const history = createStateHistory({ archive, kind, bucketCount });
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
  const table = textTable(['at', 'written in', 'operation', 'fields', 'archived in'], rows);
  const text =
    entries.length === 0 ? `No archive has anything of ${nameRow(session, id)}.` : table + more;
  return {
    text: [text, ...describeStarts(archiveFromMs)].join('\n'),
    json: {
      table: session.table?.name ?? kind.name,
      ...rowJson(session, id),
      archiveFromMs,
      entries: entries.map(({ entry, archives }) => entryJson(kind, entry, archives)),
    },
    exitCode: entries.length === 0 ? EXIT.finding : EXIT.ok,
  };
}

/** Says of each archive that was trimmed from when on it has every write. */
function describeStarts(archiveFromMs: Readonly<Record<string, number | null>>): string[] {
  return Object.entries(archiveFromMs).flatMap(([name, fromMs]) =>
    fromMs === null
      ? []
      : [
          `The archive of ${name} has every write since ${timeText(fromMs)}; older ones were trimmed.`,
        ],
  );
}

/** Tells nothing but the values of a kind whose columns nobody declares. */
function entryJson(kind: EntityKind, entry: Entry, archives: readonly string[]): object {
  const { stamp, atMs, region, operation, changedFields, state } = entry;
  const head = { stamp, atMs, region, operation, changedFields };
  const values = isAlive(state) ? typedValues(kind, state) : null;
  if (kind.form === 'open') return { ...head, values, archives };
  return { ...head, entity: isAlive(state) ? toEntity(kind, state) : null, values, archives };
}

/** Returns each value with its Edm type, as `["Int64", "5"]`; what has no column is left out. */
function typedValues(
  kind: EntityKind,
  { fields }: EntityState,
): Readonly<Record<string, EncodedFieldValue>> {
  const values = [...fields].flatMap(([name, { value }]) => {
    const isKnown = kind.form === 'open' || kind.edmTypes.has(name);
    return value === null || !isKnown ? [] : [[name, encodeFieldValue(value)] as const];
  });
  return Object.fromEntries(values);
}
