import { CATALOG_BUCKET_COUNT, catalogKind, type TypedKind } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { recordBucketCount, seedConfiguration, tandemSettings } from '@tandem/storage';
import {
  createMemoryRegions,
  MEMORY_BUCKET_COUNT,
  type MemoryRegion,
  type TwoRegions,
} from '@tandem/storage/testing';
import type { Io } from '../io.ts';
import { runProgram } from '../program.ts';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The last line of the output, where it is JSON. */
  readonly json: Record<string, unknown>;
}

export interface CliHarness<K extends TypedKind = typeof customerKind> {
  readonly regions: TwoRegions<K>;
  /** As JSON. */
  readonly inventory: string;
  /** With `--json`. */
  run(...args: readonly string[]): Promise<CliRun>;
  /** The surroundings of one run, or others. */
  io(own?: Partial<Io>): Io;
  /** As a person sees it, with other surroundings. */
  runWith(io: Partial<Io>, ...args: readonly string[]): Promise<CliRun>;
}

const inventoryOf = (names: readonly string[]): string =>
  JSON.stringify({
    version: 1,
    regions: names.map((name) => ({
      name,
      storage: `memory:${name}`,
      serviceBus: `${name}.servicebus.example`,
    })),
  });

function peerSettings(peers: readonly string[]): Record<string, string> {
  const connected = peers.map((region) => ({ region, connection: `${region}.servicebus.example` }));
  const [only, ...others] = connected;
  if (only === undefined || others.length > 0) return { Peers: JSON.stringify(connected) };
  return { RedundancyServiceBusConnection: only.connection, 'Peer.Region': only.region };
}

/**
 * Regions of shipping code in memory, east and west and those that are named besides, and the program beside
 * them in the same virtual time.
 */
export function createCliHarness(...others: readonly string[]): Promise<CliHarness> {
  return createHarnessOf(customerKind, MEMORY_BUCKET_COUNT, others);
}

/** The same in so many buckets, so that few rows are written in many transactions. */
export function createBucketHarness(bucketCount: number): Promise<CliHarness> {
  return createHarnessOf(customerKind, bucketCount, []);
}

/** The same, but what they replicate is the catalogue of tables. */
export function createCatalogueHarness(): Promise<CliHarness<typeof catalogKind>> {
  return createHarnessOf(catalogKind, CATALOG_BUCKET_COUNT, []);
}

async function createHarnessOf<K extends TypedKind>(
  kind: K,
  bucketCount: number,
  others: readonly string[],
): Promise<CliHarness<K>> {
  const names = ['east', 'west', ...others];
  const inventory = inventoryOf(names);
  const all = await createMemoryRegions(
    kind,
    Object.fromEntries(names.map((name) => [name, { bucketCount }])),
  );
  const regionNamed = (name: string): MemoryRegion<K> =>
    all.regions.find(({ region }) => region === name)!;
  const regions = { ...all, east: regionNamed('east'), west: regionNamed('west') };
  for (const { region: own, store } of all.regions) {
    const peers = names.filter((name) => name !== own);
    await seedConfiguration({
      store,
      definitions: tandemSettings,
      values: {
        ServiceBusConnection: `${own}.servicebus.example`,
        ...peerSettings(peers),
        'Tables.BucketCount': String(MEMORY_BUCKET_COUNT),
      },
    });
    await recordBucketCount(store, kind, bucketCount);
  }
  let runs = 0;
  const ioOf: CliHarness<K>['io'] = (own) => {
    runs += 1;
    return {
      out: () => undefined,
      err: () => undefined,
      isTerminal: false,
      environment: { TANDEM_REGIONS: inventory },
      folder: '/nowhere',
      openStore: (connection) => regionNamed(connection.slice('memory:'.length)).store,
      inspectQueue: async () => [],
      readReadiness: async () => undefined,
      openQueue: ({ connection }) => regions.bus.viewerFor(connection.split('.')[0] ?? ''),
      clock: regions.clock,
      randomness: createSeededRandomness(runs),
      signal: new AbortController().signal,
      ...own,
    };
  };
  const runWith: CliHarness<K>['runWith'] = async (own, ...args) => {
    let out = '';
    let err = '';
    const io = ioOf({
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      ...own,
    });
    const code = await regions.drive(runProgram(args, io));
    return { code, out, err, json: parseLast(out) };
  };
  return {
    regions,
    inventory,
    io: ioOf,
    runWith,
    run: (...args) => runWith({}, '--json', ...args),
  };
}

function parseLast(out: string): Record<string, unknown> {
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  return last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
}
