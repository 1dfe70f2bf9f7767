import { setTimeout as delay } from 'node:timers/promises';
import { breakSystem } from '../broken/break-system.ts';
import { createCustomerPool } from '../clients/customer-pool.ts';
import { createPerform, createTransact } from '../clients/perform.ts';
import { createTables } from '../clients/read-table.ts';
import { runClient } from '../clients/run-client.ts';
import { createRowPool, runTableClient } from '../clients/run-table-client.ts';
import { openTable } from '../clients/table-client.ts';
import { endpointsOf, urlsOf } from '../cluster/start-chaos-cluster.ts';
import { describeFault } from '../faults/fault.ts';
import { createFaultInflicter } from '../faults/inflict-fault.ts';
import { runSchedule } from '../faults/run-schedule.ts';
import { OPERATIONS_MAX } from '../history/history-log.ts';
import { type Endpoint, FRONT } from '../history/operation.ts';
import { createRandom } from '../random.ts';
import type { ChaosOptions, ChaosParts } from './run-chaos.ts';

/** Of all endpoints together, about as many whatever there are. */
const CLIENTS = 24;
/** Of the Table endpoints of all regions together. */
const TABLE_CLIENTS = 8;
const PROGRESS_EVERY_MS = 10_000;

/** Resolves when the time is over, the clients have stopped and every fault is undone. */
export async function torment(
  options: ChaosOptions,
  { chaos, history, rowHistory, counts }: ChaosParts,
): Promise<void> {
  const { seed, runMs, faults, breakage, say } = options;
  const broken = await breakSystem(breakage, chaos, {
    urls: urlsOf(chaos),
    endpoints: endpointsOf(chaos),
  });
  const tables = Object.fromEntries(
    Object.entries(broken.endpoints).map(([region, connection]) => [region, openTable(connection)]),
  );
  try {
    await createTables(Object.values(tables));
  } catch (error) {
    await broken.stop();
    throw error;
  }
  const over = new AbortController();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const perform = createPerform(broken.urls, history);
  const transact = createTransact(broken.urls, history);
  const customers = createCustomerPool();
  const endpoints: readonly [Endpoint, ...Endpoint[]] = [FRONT, ...options.regions];
  const perEndpoint = Math.ceil(CLIENTS / endpoints.length);
  const homes = endpoints.flatMap((home) => Array<Endpoint>(perEndpoint).fill(home));
  const common = { endpoints, perform, transact, history, customers, signal };
  const clients = homes.map((home, index) =>
    runClient({ ...common, home, random: createRandom(seed, index + 1) }),
  );
  const ofTables = { tables, history: rowHistory, rows: createRowPool(), signal };
  const tableClients = Array.from({ length: TABLE_CLIENTS }, (_, index) => {
    const home = options.regions[index % options.regions.length] ?? '';
    const random = createRandom(seed, homes.length + index + 1);
    return runTableClient({ ...ofTables, home, random });
  });
  const progress = setInterval(() => {
    const { operations } = history;
    const acknowledged = operations.filter(({ outcome }) => outcome === 'acknowledged').length;
    const rows = rowHistory.operations.length;
    say(
      `${operations.length} operations, ${acknowledged} acknowledged, ${rows} on rows, ${JSON.stringify(counts)}`,
    );
    if (Math.max(operations.length, rows) > OPERATIONS_MAX) over.abort();
  }, PROGRESS_EVERY_MS);
  try {
    const startedMs = performance.now();
    await runSchedule({
      faults,
      inflict: createFaultInflicter(chaos, counts),
      runMs,
      onFault: (fault) => say(`${Math.round(performance.now())} ${describeFault(fault)}`),
      signal,
    });
    await delay(Math.max(0, startedMs + runMs - performance.now()), undefined, { signal }).catch(
      () => undefined,
    );
  } finally {
    over.abort();
    clearInterval(progress);
    await Promise.all([...clients, ...tableClients]);
    await broken.stop();
  }
}
