import { AsyncLocalStorage } from 'node:async_hooks';
import { RestError, TableClient, type TransactionAction } from '@azure/data-tables';
import type { Outcome } from '../history/operation.ts';
import {
  PROPERTIES,
  type RowOperation,
  type RowSeen,
  type RowValues,
} from '../history/row-operation.ts';

const TABLE = 'Chaos';

/** The requests of one call that were sent, repetitions too. */
const sent = new AsyncLocalStorage<{ count: number }>();

/** The client that Microsoft gives, as an application has it, but with shorter pauses between its tries. */
export function openTable(connection: string): TableClient {
  return TableClient.fromConnectionString(connection, TABLE, {
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 2, retryDelayInMs: 100, maxRetryDelayInMs: 400 },
    additionalPolicies: [
      {
        position: 'perRetry',
        policy: {
          name: 'countSent',
          sendRequest(request, next) {
            const counted = sent.getStore();
            if (counted !== undefined) counted.count += 1;
            return next(request);
          },
        },
      },
    ],
  });
}

const CALL_MS_MAX = 8_000;
const NOTE_LENGTH_MAX = 300;

export interface Answer<Result> {
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  readonly note?: string;
  readonly result?: Result;
}

/** Never rejects. A refusal after a repetition leaves it open whether an earlier try has done it. */
async function call<Result>(
  perform: (options: { readonly abortSignal: AbortSignal }) => Promise<Result>,
): Promise<Answer<Result>> {
  const counted = { count: 0 };
  try {
    const options = { abortSignal: AbortSignal.timeout(CALL_MS_MAX) };
    const result = await sent.run(counted, () => perform(options));
    return { outcome: 'acknowledged', result };
  } catch (error) {
    const status = error instanceof RestError ? error.statusCode : undefined;
    const isRefused = status !== undefined && status < 500 && counted.count === 1;
    return { outcome: isRefused ? 'refused' : 'unknown', status, note: describe(error) };
  }
}

function describe(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, NOTE_LENGTH_MAX);
}

export function write(
  table: TableClient,
  { action, row, values, over }: Pick<RowOperation, 'action' | 'row' | 'values' | 'over'>,
): Promise<Answer<{ readonly etag?: string | undefined }>> {
  const keys = keysOf(row);
  const etag = over?.etag ?? '*';
  return call<{ readonly etag?: string | undefined }>((options) => {
    if (action === 'delete') {
      return table.deleteEntity(keys.partitionKey, keys.rowKey, {
        ...options,
        etag,
      }) as Promise<object>;
    }
    const entity = { ...keys, ...toWire(values) };
    if (action === 'insert') return table.createEntity(entity, options);
    const mode = action === 'merge' ? 'Merge' : 'Replace';
    return over === undefined
      ? table.upsertEntity(entity, mode, options)
      : table.updateEntity(entity, mode, { ...options, etag });
  });
}

/** Replaces all rows in one transaction, or deletes all of them. */
export function writeTogether(
  table: TableClient,
  parts: readonly Pick<RowOperation, 'row' | 'values'>[],
): Promise<Answer<unknown>> {
  const actions = parts.map(({ row, values }): TransactionAction => {
    const entity = { ...keysOf(row), ...toWire(values) };
    return values === undefined ? ['delete', entity] : ['upsert', entity, 'Replace'];
  });
  return call((options) => table.submitTransaction(actions, options));
}

export async function readRow(table: TableClient, row: string): Promise<Answer<RowSeen>> {
  const { partitionKey, rowKey } = keysOf(row);
  const answer = await call((options) => table.getEntity(partitionKey, rowKey, options));
  const { result, ...rest } = answer;
  if (result !== undefined) return { ...rest, result: seenOf(result) };
  // A read that was repeated has still read: that there is none is what its last try saw.
  return answer.status === 404
    ? { ...rest, outcome: 'acknowledged', result: { kind: 'absent' } }
    : rest;
}

const PAGE_MAX = 1_000;

export interface Listed {
  readonly rows: ReadonlyMap<string, RowSeen>;
  readonly pages: number;
}

/** Bounds a listing of the whole table, whose pages together take longer than one call may. */
const LIST_MS_MAX = 120_000;

/** Lists all rows, or those of one partition. */
export function list(table: TableClient, partitionKey?: string): Promise<Answer<Listed>> {
  const filter =
    partitionKey === undefined
      ? undefined
      : `PartitionKey eq '${partitionKey.replaceAll("'", "''")}'`;
  return call(async (options) => {
    const rows = new Map<string, RowSeen>();
    let pages = 0;
    const queryOptions = filter === undefined ? {} : { filter };
    const asked =
      partitionKey === undefined
        ? { ...options, abortSignal: AbortSignal.timeout(LIST_MS_MAX) }
        : options;
    for await (const page of table
      .listEntities({ ...asked, queryOptions })
      .byPage({ maxPageSize: PAGE_MAX })) {
      pages += 1;
      for (const entity of page) {
        rows.set(`${entity.partitionKey}/${entity.rowKey}`, seenOf(entity));
      }
    }
    return { rows, pages };
  });
}

function keysOf(row: string): { readonly partitionKey: string; readonly rowKey: string } {
  const place = row.indexOf('/');
  return { partitionKey: row.slice(0, place), rowKey: row.slice(place + 1) };
}

/** In histories a long text is `text*<length>`; on the wire it is filled up to that length. */
const FILL = '~';

function toWire(values: RowValues | undefined): Record<string, string> {
  const entries = Object.entries(values ?? {}).map(([name, value]) => {
    const [text = '', length = '0'] = value.split('*');
    return [name, text.padEnd(Number(length), FILL)] as const;
  });
  return Object.fromEntries(entries);
}

function seenOf(entity: Readonly<Record<string, unknown>>): RowSeen {
  const entries = PROPERTIES.flatMap((name) => {
    const value = entity[name];
    if (typeof value !== 'string') return [];
    const text = value.replace(/~+$/, '');
    return [[name, text === value ? value : `${text}*${value.length}`] as const];
  });
  const values = { mark: 'none', ...Object.fromEntries(entries) };
  return { kind: 'present', values, etag: String(entity['etag']) };
}
