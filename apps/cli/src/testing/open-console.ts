import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CATALOG_BUCKET_COUNT, catalogKind } from '@tandem/core';
import { recordBucketCount } from '@tandem/storage';
import { createAccess } from '../console/access.ts';
import { createAudit } from '../console/audit.ts';
import { createConsoleApp } from '../console/console-app.ts';
import { createCommandRunner } from '../console/run-command.ts';
import { createRegionWatch, type RegionWatch } from '../console/watch-regions.ts';
import type { Io } from '../io.ts';
import { runProgram } from '../program.ts';
import { createSession } from '../session.ts';
import { type CliHarness, createCliHarness } from './cli-harness.ts';

export interface OpenedConsole {
  readonly harness: CliHarness;
  readonly clock: CliHarness['regions']['clock'];
  readonly app: ReturnType<typeof createConsoleApp>;
  readonly access: ReturnType<typeof createAccess>;
  readonly watch: RegionWatch;
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

/** The console over regions in memory, in their virtual time. */
export async function openConsole(
  own: Partial<Io> = {},
  given?: CliHarness,
): Promise<OpenedConsole> {
  const harness = given ?? (await createCliHarness());
  const { regions } = harness;
  const io = harness.io(own);
  const faults: unknown[] = [];
  const onFault = (error: unknown): void => void faults.push(error);
  let opened = 0;
  const access = createAccess({
    clock: io.clock,
    person: 'ada',
    onEntered: () => void (opened += 1),
  });
  const watch = createRegionWatch({
    openSession: () => createSession(io, OPTIONS),
    names: regions.regions.map(({ region }) => region),
    trafficManager: undefined,
    refreshMs: 5_000,
    onFault,
  });
  const folder = await mkdtemp(join(tmpdir(), 'tandem-console-'));
  const audit = createAudit(join(folder, 'state', 'audit.ndjson'), io.clock);
  const app = createConsoleApp({
    access,
    watch,
    clock: io.clock,
    // Only commands wait for time that is not real: a page waits for a disk, too.
    run: createCommandRunner(io, (args, at) => regions.drive(runProgram(args, at))),
    audit,
    allowedHosts: [],
    onFault,
  });
  return {
    harness,
    clock: regions.clock,
    app,
    access,
    watch,
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
    look: () => regions.drive(watch.look()),
  };
}

/** Gives all regions a catalogue, and one of them a table of clients. */
export async function createClientTable({ regions, run }: CliHarness, name: string): Promise<void> {
  for (const { store } of regions.regions) {
    await store.createTable(catalogKind.name);
    await recordBucketCount(store, catalogKind, CATALOG_BUCKET_COUNT);
  }
  await run('tables', 'create', name, '--region', 'east', '--apply');
}
