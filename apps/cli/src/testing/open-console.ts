import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import {
  CATALOG_BUCKET_COUNT,
  catalogKind,
  type Heartbeat,
  type PeerProgress,
  type TableStore,
} from '@tandem/core';
import { recordBucketCount } from '@tandem/storage';
import { createLinkAccess } from '../console/access.ts';
import { createAudit } from '../console/audit.ts';
import { createConsoleApp } from '../console/console-app.ts';
import { createLongRuns, type LongRuns } from '../console/long-runs.ts';
import { createCommandRunner } from '../console/run-command.ts';
import type { SignInAccess } from '../console/sign-in.ts';
import { createRegionWatch, type RegionWatch } from '../console/watch-regions.ts';
import type { Io } from '../io.ts';
import { runProgram } from '../program.ts';
import { createSession } from '../session.ts';
import { type CliHarness, createCliHarness } from './cli-harness.ts';

export interface OpenedConsole {
  readonly harness: CliHarness;
  readonly clock: CliHarness['regions']['clock'];
  readonly app: ReturnType<typeof createConsoleApp>;
  readonly access: ReturnType<typeof createLinkAccess>;
  readonly watch: RegionWatch;
  readonly runs: LongRuns;
  /** Counts who has entered. */
  opened(): number;
  /** Returns the headers of a visitor who has. */
  enter(): Promise<{ readonly host: string; readonly cookie: string }>;
  /** Has the console look at all regions once. */
  look(): Promise<void>;
  /** Where the audit makes its own. */
  readonly folder: string;
  /** What nobody foresaw. */
  readonly faults: readonly unknown[];
}

const HOST = '127.0.0.1:7799';
const OPTIONS = { json: true, requestsMax: 10_000_000 };

/** Where commands of the console are stopped in the middle, to look at them, and let on. */
export interface Gate {
  isShut(): boolean;
  /** Lets so many writes of west pass, and no more. */
  shutAfter(writes: number): void;
  open(): void;
  /** Resolves when a command stands before it. */
  reached(): Promise<void>;
  /** The stores that commands get. */
  readonly io: Pick<Io, 'openStore'>;
}

export function createGate({ regions }: CliHarness): Gate {
  let left = Number.POSITIVE_INFINITY;
  let opened = Promise.withResolvers<void>();
  let reached = Promise.withResolvers<void>();
  opened.resolve();
  const pass = async (): Promise<void> => {
    left -= 1;
    if (left >= 0) return;
    reached.resolve();
    await opened.promise;
  };
  const { store } = regions.west;
  const west: TableStore = {
    createTable: (table) => store.createTable(table),
    get: (...address) => store.get(...address),
    query: (range) => store.query(range),
    timeMs: () => store.timeMs(),
    async commit(transaction) {
      await pass();
      return store.commit(transaction);
    },
  };
  return {
    isShut: () => left < 0,
    shutAfter(writes) {
      left = writes;
      opened = Promise.withResolvers();
      reached = Promise.withResolvers();
    },
    open() {
      left = Number.POSITIVE_INFINITY;
      opened.resolve();
    },
    reached: () => reached.promise,
    io: {
      openStore: (connection) => (connection === 'memory:west' ? west : regions.east.store),
    },
  };
}

/** Returns a port that is free now: a console behind a sign-in is told its address before it listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const folders: string[] = [];
/**
 * Removes what the consoles of a file of tests wrote. Each file calls it after its last test, since what runs on when a test has
 * ended may write until then; a hook of this module would be of the first file alone that loads it into a worker.
 */
export async function removeConsoles(): Promise<void> {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
}

/** The console over regions in memory, in their virtual time, which stands still before a gate that is shut. */
export async function openConsole(
  own: Partial<Io> = {},
  given?: CliHarness,
  {
    gate,
    folder: old,
    signIn,
    trafficManager,
    processes = [],
  }: {
    readonly gate?: Gate;
    readonly folder?: string;
    /** How people come in, in place of a link. */
    readonly signIn?: SignInAccess;
    /** Where it is; it is real, so it takes a gate. */
    readonly trafficManager?: string;
    /** The files with the ids of what runs here. */
    readonly processes?: Parameters<typeof createConsoleApp>[0]['processes'];
  } = {},
): Promise<OpenedConsole> {
  const harness = given ?? (await createCliHarness());
  const { regions } = harness;
  const io = harness.io(own);
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  let opened = 0;
  const access = createLinkAccess({
    clock: io.clock,
    person: 'ada',
    onEntered: () => void (opened += 1),
  });
  const watch = createRegionWatch({
    openSession: () => createSession(io, OPTIONS),
    names: regions.regions.map(({ region }) => region),
    trafficManager,
    refreshMs: 5_000,
    onFault,
  });
  const folder = old ?? (await mkdtemp(join(tmpdir(), 'tandem-console-')));
  folders.push(folder);
  const audit = createAudit(join(folder, 'state', 'audit.ndjson'), io.clock);
  const driveGated = async <T>(work: Promise<T>): Promise<T> => {
    const progress = { isDone: false };
    const finished = work.finally(() => void (progress.isDone = true));
    finished.catch(() => undefined);
    while (!progress.isDone) {
      await setTimeout(1);
      const wakeMs = gate?.isShut() === true ? undefined : regions.clock.nextWakeMs();
      if (wakeMs !== undefined) await regions.clock.advance(Math.max(0, wakeMs - io.clock.nowMs()));
    }
    return finished;
  };
  // Only commands wait for time that is not real: a page waits for a disk, too.
  const drive = <T>(work: Promise<T>): Promise<T> =>
    gate === undefined ? regions.drive(work) : driveGated(work);
  const run = createCommandRunner(io, (args, at) => drive(runProgram(args, at)));
  const runs = createLongRuns({
    folder: join(folder, 'runs'),
    clock: io.clock,
    run,
    audit,
    onFault,
  });
  const app = createConsoleApp({
    access: signIn ?? access,
    watch,
    clock: io.clock,
    run,
    runs,
    audit,
    onFault,
    processes,
  });
  return {
    harness,
    clock: regions.clock,
    app,
    access,
    watch,
    runs,
    folder,
    faults,
    opened: () => opened,
    async enter() {
      const payload = new URLSearchParams({ code: access.code() }).toString();
      const { headers } = await app.inject({
        method: 'POST',
        url: '/enter',
        headers: { host: HOST, 'content-type': 'application/x-www-form-urlencoded' },
        payload,
      });
      return { host: HOST, cookie: String(headers['set-cookie']).split(';')[0] ?? '' };
    },
    look: () => drive(watch.look()),
  };
}

/** Beats each second for the replicators of both regions, until it is told to stop. */
export function keepBeating(
  { regions }: CliHarness,
  { signal, beatOf }: { readonly signal: AbortSignal; readonly beatOf: (own: string) => OwnBeat },
): void {
  void (async () => {
    while (!signal.aborted) {
      for (const own of ['east', 'west'] as const) {
        const common = { catchingUpSinceMs: undefined, hasBacklog: false };
        const { peer, ...beat } = beatOf(own);
        await regions[own].status.beat({ ...common, ...beat, peers: [peer] });
      }
      await regions.clock.sleep(1_000);
    }
  })();
}

interface OwnBeat extends Pick<Heartbeat, 'nowMs' | 'appliedSets'> {
  readonly peer: PeerProgress;
}

/** Gives all regions a catalogue, and one of them a table of clients. */
export async function createClientTable({ regions, run }: CliHarness, name: string): Promise<void> {
  for (const { store } of regions.regions) {
    await store.createTable(catalogKind.name);
    await recordBucketCount(store, catalogKind, CATALOG_BUCKET_COUNT);
  }
  await run('tables', 'create', name, '--region', 'east', '--apply');
}

export interface Visiting {
  get(url: string): Promise<string>;
  /** Follows where it is sent. */
  post(url: string, fields: FormFields): Promise<string>;
  /** Follows nothing. */
  send(url: string, fields: FormFields): Promise<Sent>;
}

/** A field of several values is sent once for each. */
type FormFields = Readonly<Record<string, string | readonly string[]>>;

interface Sent {
  readonly statusCode: number;
  readonly location: string | undefined;
  readonly body: string;
}

/** One browser that was let in. */
export async function visitConsole({ app, enter }: OpenedConsole): Promise<Visiting> {
  const headers = await enter();
  const get = async (url: string): Promise<string> => (await app.inject({ url, headers })).body;
  const token = /name="formToken" value="([^"]+)"/.exec(await get('/audit'))?.[1] ?? '';
  const send: Visiting['send'] = async (url, fields) => {
    const sent = Object.entries({ formToken: token, ...fields }).flatMap(([name, value]) =>
      [value].flat().map((one) => [name, one] as [string, string]),
    );
    const payload = new URLSearchParams(sent).toString();
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const asked = { method: 'POST', url, headers: { ...headers, ...type }, payload } as const;
    const answer = await app.inject(asked);
    return { statusCode: answer.statusCode, location: answer.headers.location, body: answer.body };
  };
  return {
    get,
    send,
    async post(url, fields) {
      const { location, body } = await send(url, fields);
      return location === undefined ? body : get(location);
    },
  };
}

/** Returns what a person reads of a piece of a page. */
export function textOf(piece: string): string {
  return piece
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
