import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import type { OpenClient } from '../client.ts';

interface Kept {
  readonly user: string;
  readonly visits: number;
}

/** What express-session asks of a store, and what this one has besides. */
interface SessionStore {
  set(id: string, data: object, done: (error: unknown) => void): void;
  touch(id: string, data: object, done: (error: unknown) => void): void;
  get(id: string, done: (error: unknown, data?: Kept) => void): void;
  destroy(id: string, done: (error: unknown) => void): void;
  /** Deletes what has expired; it tells nobody when it has. */
  cleanUp(): void;
}

interface Options {
  readonly table: string;
  readonly sessionTimeOut: number;
  readonly overrideCron: string;
  readonly logger: (line: string) => void;
  readonly errorLogger: (line: string) => void;
}

const require = createRequire(import.meta.url);
const session: unknown = require('express-session');
const createFactory = require('connect-azuretables') as (library: unknown) => {
  create(options: Options): SessionStore;
};

const MINUTE_MS = 60_000;
/** Otherwise it looks for expired sessions at every minute's end, even before it has made its table. */
const NEVER = '0 0 0 1 0 *';
const EXPIRED = { cookie: { originalMaxAge: -MINUTE_MS } };

/** A store of sessions for express, over the legacy client. */
export const openConnectAzureTables: OpenClient = (connection) => {
  // It takes its connection from there alone.
  process.env['AZURE_STORAGE_CONNECTION_STRING'] = connection;
  return {
    async work(round) {
      const { store, lines, failures } = await openStore(round);
      const data = { cookie: { originalMaxAge: 10 * MINUTE_MS }, user: 'Zoë 🎈', visits: 1 };
      await ask((done) => store.set('kept-1', data, done));
      await ask((done) => store.set('kept-1', { ...data, visits: 2 }, done));
      await ask((done) => store.touch('kept-1', { ...data, visits: 2 }, done));
      await ask((done) => store.set('ended-1', data, done));
      await ask((done) => store.destroy('ended-1', done));
      assert.equal(await read(store, 'ended-1'), undefined);
      await ask((done) => store.set('old-1', EXPIRED, done));
      store.cleanUp();
      await until(() => lines.some((line) => line.includes('cleaned up session old1')));
      assert.equal(await read(store, 'old-1'), undefined);
      assert.deepEqual(failures, []);
    },
    async find(round) {
      const { store } = await openStore(round);
      const kept = await read(store, 'kept-1');
      assert.deepEqual([kept?.user, kept?.visits], ['Zoë 🎈', 2]);
      assert.equal(await read(store, 'ended-1'), undefined);
    },
  };
};

async function openStore(round: number) {
  const lines: string[] = [];
  const failures: string[] = [];
  const store = createFactory(session).create({
    table: `ConnectSessions${round}`,
    sessionTimeOut: 10,
    overrideCron: NEVER,
    logger: (line) => void lines.push(line),
    errorLogger: (line) => void failures.push(line),
  });
  // It makes its table by itself, and does not say when it may be used.
  await until(() => lines.some((line) => line.includes('created table')));
  return { store, lines, failures };
}

function ask(call: (done: (error: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => (error === null || error === undefined ? resolve() : reject(error)));
  });
}

function read(store: SessionStore, id: string): Promise<Kept | undefined> {
  return new Promise((resolve, reject) => {
    store.get(id, (error, data) =>
      error === null || error === undefined ? resolve(data) : reject(error),
    );
  });
}

const WAIT_MS_MAX = 60_000;

async function until(isSo: () => boolean): Promise<void> {
  const endMs = Date.now() + WAIT_MS_MAX;
  while (!isSo()) {
    if (Date.now() > endMs) throw new Error(`It did not say so within ${WAIT_MS_MAX} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
