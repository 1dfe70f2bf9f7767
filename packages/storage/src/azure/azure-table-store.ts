/**
 * The table store over Azure Table Storage. Credentials and pipeline are those of
 * `@azure/data-tables`; the requests are our own, for the reasons in `table-protocol.ts`.
 */
import { randomUUID } from 'node:crypto';
import {
  type CommitOutcome,
  checkKey,
  checkRange,
  checkTableName,
  checkTransaction,
  type RowPage,
  type RowRange,
  type TableRow,
  type TableStore,
  type Transaction,
} from '@tandem/core';
import {
  createTableAccount,
  type TableAccount,
  type TableAccountOptions,
} from './table-account.ts';
import {
  type BatchPart,
  createTableRequest,
  decodeBatch,
  decodeContinuation,
  decodeRow,
  decodeRows,
  encodeBatch,
  encodeContinuation,
  getRequest,
  listTablesRequest,
  operationRequest,
  queryRequest,
  readRefusal,
  type ServiceRefusal,
  type TableRequest,
} from './table-requests.ts';
import {
  outcomeOf,
  type TableCall,
  translateNoAnswer,
  translateRefusal,
  translateThrown,
} from './translate-table-error.ts';

export type AzureTableStoreOptions = TableAccountOptions & {
  /** Bounds one request, waiting for a connection included; 5,500 for one that reads, 9,000 for others by default. */
  readonly timeoutMs?: number;
};

/** The service itself answers a query within five seconds, with what it has found by then. */
export const READ_TIMEOUT_MS = 5_500;
/** Less than a caller is made to wait: see `WRITE_MS_MAX`. */
export const COMMIT_TIMEOUT_MS = 9_000;

interface Answer {
  readonly text: string;
  readonly header: (name: string) => string | undefined;
  readonly refusal: ServiceRefusal | undefined;
}

type Send = (request: TableRequest, call: TableCall) => Promise<Answer>;

/** Throws `CONFIGURATION_INVALID` for an account that is not well described. */
export function createAzureTableStore(options: AzureTableStoreOptions): TableStore {
  const account = createTableAccount(options);
  const send = createSend(account, options.timeoutMs);
  return {
    async createTable(table) {
      checkTableName(table);
      const call: TableCall = { kind: 'create-table', table };
      const { refusal } = await send(createTableRequest(table), call);
      if (refusal === undefined || refusal.code === 'TableAlreadyExists') return;
      throw translateRefusal(refusal, call);
    },
    get: (table, partitionKey, rowKey) => getRow(send, table, { partitionKey, rowKey }),
    async commit(transaction) {
      checkTransaction(transaction);
      return transaction.operations.length === 1
        ? commitOne(send, transaction)
        : commitBatch(send, transaction, account.url);
    },
    query: (range) => queryRows(send, range),
    async timeMs() {
      // Whatever is answered has the time, a refusal too: it may be refused because the clock here is wrong.
      const { header } = await send(listTablesRequest(), { kind: 'read', table: 'Tables' });
      const timeMs = Date.parse(header('date') ?? '');
      return Number.isNaN(timeMs) ? undefined : timeMs;
    },
  };
}

function createSend(account: TableAccount, timeoutMsGiven: number | undefined): Send {
  return async (request, call) => {
    const ownMs = call.kind === 'read' ? READ_TIMEOUT_MS : COMMIT_TIMEOUT_MS;
    const timeoutMs = timeoutMsGiven ?? ownMs;
    try {
      const { status, headers, bodyAsText } = await account.send(request, timeoutMs);
      const header = (name: string) => headers.get(name);
      const text = bodyAsText ?? '';
      // What is redirected was not done.
      const refusal = status >= 300 ? readRefusal(status, text, header) : undefined;
      return { text, header, refusal };
    } catch (error) {
      throw translateThrown(error, call);
    }
  };
}

async function getRow(
  send: Send,
  table: string,
  { partitionKey, rowKey }: { partitionKey: string; rowKey: string },
): Promise<TableRow | undefined> {
  checkTableName(table);
  checkKey('partition key', partitionKey);
  checkKey('row key', rowKey);
  const call: TableCall = { kind: 'read', table };
  const { refusal, text } = await send(getRequest(table, partitionKey, rowKey), call);
  if (refusal === undefined) return decodeRow(text);
  if (outcomeOf(refusal, 1) !== undefined) return undefined;
  throw translateRefusal(refusal, call);
}

/** Does what a batch of one does, for half the work of the service. */
async function commitOne(send: Send, transaction: Transaction): Promise<CommitOutcome> {
  const { table, partitionKey, operations } = transaction;
  const [request] = operations.map((operation) => operationRequest(table, partitionKey, operation));
  const call: TableCall = { kind: 'commit', table };
  const { refusal, header } = await send(request as TableRequest, call);
  if (refusal === undefined) return { kind: 'committed', etags: [header('etag')] };
  const outcome = outcomeOf(refusal, 1);
  if (outcome === undefined) throw translateRefusal(refusal, call);
  return outcome;
}

async function commitBatch(
  send: Send,
  transaction: Transaction,
  accountUrl: string,
): Promise<CommitOutcome> {
  const { table, partitionKey, operations } = transaction;
  const requests = operations.map((operation) => operationRequest(table, partitionKey, operation));
  const { contentType, body } = encodeBatch(randomUUID(), accountUrl, requests);
  const headers = { 'Content-Type': contentType, Accept: 'application/json' };
  const call: TableCall = { kind: 'commit', table };
  const answer = await send({ method: 'POST', path: '$batch', headers, body }, call);
  if (answer.refusal !== undefined) throw translateRefusal(answer.refusal, call);
  return outcomeOfParts(decodeBatch(answer.text), operations.length, call);
}

function outcomeOfParts(
  parts: readonly BatchPart[],
  operationCount: number,
  call: TableCall,
): CommitOutcome {
  const failed = parts.find((part) => part.status < 200 || part.status >= 300);
  if (failed !== undefined) {
    const refusal = readRefusal(failed.status, failed.text);
    const outcome = outcomeOf(refusal, operationCount);
    if (outcome === undefined) throw translateRefusal(refusal, call);
    return outcome;
  }
  if (parts.length !== operationCount) {
    throw translateNoAnswer(call, `${parts.length} answers came to ${operationCount} operations`);
  }
  return { kind: 'committed', etags: parts.map((part) => part.etag) };
}

async function queryRows(send: Send, range: RowRange): Promise<RowPage> {
  checkRange(range);
  const call: TableCall = { kind: 'read', table: range.table };
  const { refusal, text, header } = await send(
    queryRequest(range, decodeContinuation(range.continuation)),
    call,
  );
  if (refusal !== undefined) throw translateRefusal(refusal, call);
  const rows = decodeRows(text);
  const nextPartitionKey = header('x-ms-continuation-nextpartitionkey');
  if (nextPartitionKey === undefined) return { rows };
  const nextRowKey = header('x-ms-continuation-nextrowkey');
  return { rows, continuation: encodeContinuation({ nextPartitionKey, nextRowKey }) };
}
