/** The Table endpoint against the service that it stands for, with the same client and as many at once. */
import type { LoadCommand } from '../load/load-command.ts';
import type { LoadDriver } from '../load/load-driver.ts';
import type { Rig } from '../rig/start-regions.ts';
import { alternate, type Pair } from '../run/alternate.ts';
import { round, type Spread, spreadOf } from '../stats/spread.ts';

/** Each by bare, of the same run; of writes the endpoint's are counted once the other region has them. */
export interface EndpointVsBare {
  readonly upserts64: ComparedClients;
  readonly upserts256: ComparedClients;
  /** Rows of transactions. */
  readonly rows99: ComparedClients;
  readonly rows100: ComparedClients;
  readonly gets: ComparedClients;
  /** Pages of 1,000 rows. */
  readonly pages: ComparedClients;
  /** The median latency of one upsert at a time. */
  readonly idle: Spread;
}

interface ComparedClients {
  readonly rate: Spread;
  /** Processor seconds of every process of both regions, by those of a bare client and its store. */
  readonly cpu: Spread;
  /** For orientation; they say as much of the machine as of this product. */
  readonly barePerSecond: Spread;
  /** Milliseconds of processor time of each process, in the last round. */
  readonly cpuMs: Readonly<Record<string, number>>;
}

export interface EndpointVsBareOptions {
  readonly rig: Rig;
  readonly load: LoadDriver;
  readonly rounds: number;
  readonly durationMs: number;
  readonly warmUpMs: number;
  readonly customers: number;
}

const TRANSACTIONS_AT_ONCE = 8;
const READERS = 64;
const PAGES_AT_ONCE = 4;

interface Measured {
  readonly count: number;
  readonly ms: number;
  readonly cpuMs: Readonly<Record<string, number>>;
}

export async function compareEndpoint(options: EndpointVsBareOptions): Promise<EndpointVsBare> {
  const { rig, load, durationMs, rounds, customers } = options;
  const [here, there] = [
    await rig.startTableEndpoint('east'),
    await rig.startTableEndpoint('west'),
  ];
  const endpoint = { connection: here.connection, peerConnection: there.connection };
  const bare = { connection: rig.regions.east.tables };
  const compare = async (
    what: Pick<LoadCommand, 'kind' | 'writers' | 'rows'>,
  ): Promise<ComparedClients> => {
    const measure = (side: Pick<LoadCommand, 'connection' | 'peerConnection'>, ms: number) =>
      measureOne({ ...what, ...side, customers, durationMs: ms }, options);
    // Until both have compiled what they need.
    for (const side of [bare, endpoint]) await measure(side, options.warmUpMs);
    return comparedOf(
      await alternate(rounds, {
        subject: () => measure(endpoint, durationMs),
        baseline: () => measure(bare, durationMs),
      }),
    );
  };
  // First, while nothing else is there: Azurite looks at every row of a table, and all tables are one to it.
  const pages = await compare({ kind: 'client-pages', writers: PAGES_AT_ONCE });
  const upserts64 = await compare({ kind: 'client-upserts', writers: 64 });
  const upserts256 = await compare({ kind: 'client-upserts', writers: 256 });
  const transactions = { kind: 'client-transactions', writers: TRANSACTIONS_AT_ONCE } as const;
  const rows99 = await compare({ ...transactions, rows: 99 });
  const rows100 = await compare({ ...transactions, rows: 100 });
  const gets = await compare({ kind: 'client-gets', writers: READERS });
  const { clientsInTurns = [] } = await load.run({
    kind: 'clients-in-turns',
    writers: 1,
    customers,
    durationMs: rounds * durationMs,
    connection: endpoint.connection,
    peerConnection: bare.connection,
  });
  const idle = spreadOf(clientsInTurns.map(({ subject, baseline }) => subject / baseline));
  return { upserts64, upserts256, rows99, rows100, gets, pages, idle };
}

async function measureOne(
  command: LoadCommand,
  { rig, load }: EndpointVsBareOptions,
): Promise<Measured> {
  const programs = [...rig.programs, load.program];
  const before = programs.map((program) => program.cpuMs());
  const { writes, replicatedMs } = await load.run(command);
  const cpuMs = programs.map((program, index): [string, number] => [
    program.name,
    program.cpuMs() - (before[index] ?? 0),
  ]);
  return { count: writes, ms: replicatedMs, cpuMs: Object.fromEntries(cpuMs) };
}

function comparedOf(pairs: readonly Pair<Measured>[]): ComparedClients {
  const of = (pick: (one: Pair<Measured>) => number): Spread => spreadOf(pairs.map(pick));
  const rateOf = ({ count, ms }: Measured): number => (count * 1_000) / ms;
  const { subject } = pairs.at(-1) ?? {};
  return {
    rate: of((one) => rateOf(one.subject) / rateOf(one.baseline)),
    cpu: of((one) => cpuOf(one.subject) / bareCpuOf(one.baseline)),
    barePerSecond: of((one) => rateOf(one.baseline)),
    cpuMs: Object.fromEntries(
      Object.entries(subject?.cpuMs ?? {}).map(([name, ms]) => [
        name,
        round(ms / (subject?.count ?? 1)),
      ]),
    ),
  };
}

function cpuOf({ count, cpuMs }: Measured): number {
  return Object.values(cpuMs).reduce((sum, one) => sum + one, 0) / count;
}

/** The other programs idle beside it, and are no part of what a user would run instead. */
function bareCpuOf({ count, cpuMs }: Measured): number {
  return ((cpuMs['load'] ?? 0) + (cpuMs['east tables'] ?? 0)) / count;
}
