import {
  AzureNamedKeyCredential,
  TableClient,
  type TableEntity,
  type TransactionAction,
} from '@azure/data-tables';
import { rowsKind, type TableStore } from '@tandem/core';
import { createMemoryTableStore, createSeededRandomness } from '@tandem/core/memory';
import { createLogger } from '@tandem/service-kit';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from './app.ts';
import { createEndpoint } from './endpoint.ts';
import { openLocalTables } from './testing/local-tables.ts';

const ACCOUNT = 'shop';
const KEY = Buffer.from('a key of the endpoint').toString('base64');
const LOST_MIN = 1_000;
const WORKERS = 8;
const ROWS = ['r0', 'r1', 'r2', 'r3', 'r4'];
/** Of one request so many answers are lost at most: then its client has one. */
const LOST_PER_REQUEST_MAX = 2;

interface Kept {
  readonly n: number;
  readonly etag: string;
}

describe('I25: a client whose answers are lost', () => {
  const random = createSeededRandomness(4_711);
  const chance = (probability: number): boolean => random.fraction() < probability;
  const lostById = new Map<string, number>();
  let [lost, rowsWritten] = [0, 0];
  let app: FastifyInstance;
  let url = '';

  beforeAll(async () => {
    const store = createMemoryTableStore();
    const counted: TableStore = {
      ...store,
      commit(transaction) {
        if (transaction.table === rowsKind.name) {
          const own = transaction.operations.filter(({ rowKey }) => !rowKey.startsWith('~'));
          rowsWritten += own.length;
        }
        return store.commit(transaction);
      },
    };
    const endpoint = createEndpoint({
      tables: await openLocalTables({ store: counted }),
      accounts: [{ account: ACCOUNT, keys: [KEY] }],
      styleOf: () => ({}),
      nowMs: Date.now,
      newRequestId: () => 'id',
      onFailure: (error) => {
        throw error;
      },
    });
    const logger = createLogger({ service: 'table-endpoint', region: 'east', level: 'fatal' });
    app = createApp({ endpoint, logger });
    // The request is done, and the connection ends before any of the answer has left.
    app.addHook('onSend', async ({ method, headers, raw }) => {
      const id = String(headers['x-ms-client-request-id']);
      const times = lostById.get(id) ?? 0;
      if (method === 'GET' || times >= LOST_PER_REQUEST_MAX || !chance(0.5)) return;
      lostById.set(id, times + 1);
      lost += 1;
      raw.socket.destroy();
    });
    url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/${ACCOUNT}`;
  });

  afterAll(() => app.close());

  it('is never refused for what it did itself, and does nothing twice', async () => {
    const table = new TableClient(url, 'Orders', new AzureNamedKeyCredential(ACCOUNT, KEY), {
      allowInsecureConnection: true,
      retryOptions: { maxRetries: LOST_PER_REQUEST_MAX + 1, retryDelayInMs: 1 },
    });
    await table.createTable();
    [lost, rowsWritten] = [0, 0];
    let asked = 0;
    const isEnough = (): boolean => lost >= LOST_MIN;

    const work = async (worker: number): Promise<void> => {
      const partitionKey = `p${worker}`;
      const kept = new Map<string, Kept>();
      const entityOf = (rowKey: string): TableEntity<{ n: number }> => {
        asked += 1;
        return { partitionKey, rowKey, n: asked };
      };
      const note = (rowKey: string, n: number, etag: string | undefined): void => {
        expect(etag).toBeDefined();
        kept.set(rowKey, { n, etag: etag ?? '' });
      };
      const writeOne = async (rowKey: string): Promise<void> => {
        const own = kept.get(rowKey);
        const entity = entityOf(rowKey);
        if (own === undefined || chance(0.2)) {
          const create = own === undefined && chance(0.7);
          const { etag } = create
            ? await table.createEntity(entity)
            : await table.upsertEntity(entity, chance(0.5) ? 'Merge' : 'Replace');
          note(rowKey, entity.n, etag);
        } else if (chance(0.3)) {
          await table.deleteEntity(partitionKey, rowKey, { etag: own.etag });
          kept.delete(rowKey);
        } else {
          const mode = chance(0.5) ? 'Merge' : 'Replace';
          const { etag } = await table.updateEntity(entity, mode, { etag: own.etag });
          note(rowKey, entity.n, etag);
        }
      };
      const writeSeveral = async (rowKeys: readonly string[]): Promise<void> => {
        const actions = rowKeys.map((rowKey): TransactionAction => {
          const own = kept.get(rowKey);
          const entity = entityOf(rowKey);
          if (own === undefined) return ['create', entity];
          if (chance(0.3)) return ['delete', entity];
          return ['update', entity, 'Replace', { etag: own.etag }];
        });
        const { subResponses } = await table.submitTransaction(actions);
        for (const [index, [kind, entity]] of actions.entries()) {
          const { rowKey } = entity;
          if (kind === 'delete') kept.delete(rowKey);
          else note(rowKey, Number((entity as TableEntity)['n']), subResponses[index]?.etag);
        }
      };
      while (!isEnough()) {
        const rowKeys = ROWS.filter(() => chance(0.5));
        if (rowKeys.length > 1 && chance(0.4)) await writeSeveral(rowKeys);
        else await writeOne(rowKeys[0] ?? 'r0');
      }
      // What each of its answers said is what is there.
      for (const [rowKey, { n, etag }] of kept) {
        expect(await table.getEntity(partitionKey, rowKey)).toMatchObject({ n, etag });
      }
      const gone = ROWS.filter((rowKey) => !kept.has(rowKey));
      for (const rowKey of gone) {
        await expect(table.getEntity(partitionKey, rowKey)).rejects.toMatchObject({
          statusCode: 404,
        });
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
    expect(lost).toBeGreaterThanOrEqual(LOST_MIN);
    expect(rowsWritten).toBe(asked);
  }, 120_000);
});
