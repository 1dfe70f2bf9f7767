import { fileURLToPath } from 'node:url';
import type { TableStore } from '@tandem/core';
import { type RunningProgram, startProgram } from '../rig/start-program.ts';
import type { SeedRequest, StoreAnswer, StoreRequest } from './store-messages.ts';

/** What was asked of a store, counted. */
interface StoreCounts {
  commits: number;
  /** Rows in those commits. */
  rows: number;
  pointReads: number;
  rangeReads: number;
}

export interface RemoteStore {
  readonly store: TableStore;
  readonly program: RunningProgram;
  readonly counts: StoreCounts;
  seed(options: Omit<SeedRequest, 'kind'>): Promise<void>;
}

/** Two tables with a million rows each take some gigabytes as objects. */
const HEAP_MIB = 10_000;

export async function startRemoteStore(name: string): Promise<RemoteStore> {
  const program = await startProgram({
    name: `${name} tables`,
    main: fileURLToPath(new URL('store-process.ts', import.meta.url)),
    nodeFlags: [`--max-old-space-size=${HEAP_MIB}`],
    serialization: 'advanced',
  });
  const waiting = new Map<number, (answer: StoreAnswer) => void>();
  let asked = 0;
  program.child.on('message', (answer: StoreAnswer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ask = (request: StoreRequest): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = (asked += 1);
      waiting.set(id, (answer) => {
        if ('error' in answer) reject(new Error(`${name} tables: ${answer.error}`));
        else resolve(answer.result);
      });
      program.child.send({ id, request });
    });
  const counts: StoreCounts = { commits: 0, rows: 0, pointReads: 0, rangeReads: 0 };
  // What comes back is what the store on the other side gave, copied by the channel.
  const call = ask as <Answer>(request: StoreRequest) => Promise<Answer>;
  return {
    program,
    counts,
    seed: async (options) => void (await ask({ kind: 'seed', ...options })),
    store: {
      createTable: (...args) => call({ kind: 'createTable', args }),
      get(...args) {
        counts.pointReads += 1;
        return call({ kind: 'get', args });
      },
      commit(...args) {
        counts.commits += 1;
        counts.rows += args[0].operations.length;
        return call({ kind: 'commit', args });
      },
      query(...args) {
        counts.rangeReads += 1;
        return call({ kind: 'query', args });
      },
      timeMs: () => call({ kind: 'timeMs', args: [] }),
    },
  };
}
