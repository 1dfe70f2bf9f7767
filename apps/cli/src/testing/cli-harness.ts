import { customerKind } from '@tandem/core/customers';
import { createSeededRandomness } from '@tandem/core/memory';
import { recordBucketCount, seedConfiguration, tandemSettings } from '@tandem/storage';
import { createTwoRegions, MEMORY_BUCKET_COUNT, type TwoRegions } from '@tandem/storage/testing';
import type { Io } from '../io.ts';
import { runProgram } from '../program.ts';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** The last line of the output, where it is JSON. */
  readonly json: Record<string, unknown>;
}

export interface CliHarness {
  readonly regions: TwoRegions<typeof customerKind>;
  /** As JSON. */
  readonly inventory: string;
  /** With `--json`. */
  run(...args: readonly string[]): Promise<CliRun>;
  /** As a person sees it, with other surroundings. */
  runWith(io: Partial<Io>, ...args: readonly string[]): Promise<CliRun>;
}

const INVENTORY = JSON.stringify({
  version: 1,
  regions: ['east', 'west'].map((name) => ({
    name,
    storage: `memory:${name}`,
    serviceBus: `${name}.servicebus.example`,
  })),
});

/** Two regions of shipping code in memory, and the program beside them in the same virtual time. */
export async function createCliHarness(): Promise<CliHarness> {
  const regions = await createTwoRegions(customerKind);
  for (const [own, peer] of [
    ['east', 'west'],
    ['west', 'east'],
  ] as const) {
    const { store } = regions[own];
    await seedConfiguration({
      store,
      definitions: tandemSettings,
      values: {
        ServiceBusConnection: `${own}.servicebus.example`,
        RedundancyServiceBusConnection: `${peer}.servicebus.example`,
        'Peer.Region': peer,
        'Customer.BucketCount': String(MEMORY_BUCKET_COUNT),
      },
    });
    await recordBucketCount(store, customerKind, MEMORY_BUCKET_COUNT);
  }
  let runs = 0;
  const runWith: CliHarness['runWith'] = async (own, ...args) => {
    let out = '';
    let err = '';
    runs += 1;
    const io: Io = {
      out: (text) => void (out += text),
      err: (text) => void (err += text),
      isTerminal: false,
      environment: { TANDEM_REGIONS: INVENTORY },
      folder: '/nowhere',
      openStore: (connection) =>
        connection === 'memory:east' ? regions.east.store : regions.west.store,
      inspectQueue: async () => [],
      openQueue: ({ connection }) =>
        regions.bus.viewerFor(connection.startsWith('east') ? 'east' : 'west'),
      clock: regions.clock,
      randomness: createSeededRandomness(runs),
      signal: new AbortController().signal,
      ...own,
    };
    const code = await regions.drive(runProgram(args, io));
    return { code, out, err, json: parseLast(out) };
  };
  return {
    regions,
    inventory: INVENTORY,
    runWith,
    run: (...args) => runWith({}, '--json', ...args),
  };
}

function parseLast(out: string): Record<string, unknown> {
  const last = out.trimEnd().split('\n').at(-1) ?? '';
  return last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {};
}
