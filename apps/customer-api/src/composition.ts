// What serves the customers of a region. The only file that knows the container.
import {
  type Clock,
  createHybridClock,
  createNotices,
  type HybridClock,
  type Notices,
  type Randomness,
  type TableStore,
} from '@tandem/core';
import {
  createPeerLinks,
  createRegionTables,
  type OpenedRegion,
  type RegionTables,
} from '@tandem/region-kit';
import { createWriterId, type Logger } from '@tandem/service-kit';
import { ARCHIVE_TABLE } from '@tandem/storage';
import { tracePublisher } from '@tandem/telemetry';
import { asFunction, asValue, createContainer, InjectionMode } from 'awilix';
import type { Cradle, Tracing } from './composition/cradle.ts';
import {
  createCustomersOf,
  createCustomerTable,
  createGateOf,
  createReadinessOf,
  createReadVersion,
} from './composition/customer-pieces.ts';
import { createLateFinish, createRelayQueueOf } from './composition/relay-pieces.ts';
import { createAcknowledgements } from './consistency/acknowledgements.ts';
import { DATA_ACCESS } from './data-access.ts';
import { KINDS } from './kinds.ts';

export interface CompositionOptions {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  /** Of the region's storage account. */
  readonly store: TableStore;
  readonly opened: OpenedRegion;
  /** Ends what requests wait for, so that they are answered before the process ends. */
  readonly stopping?: AbortSignal;
  readonly tracing?: Tracing;
}

const NO_TRACING: Tracing = { tracer: undefined, traceOf: undefined };

export type Composition = Pick<
  Cradle,
  'customers' | 'readiness' | 'relayQueue' | 'publishers' | 'notices'
>;

/** Makes everything at once, so that a missing piece fails at the start. */
export async function compose(options: CompositionOptions): Promise<Composition> {
  const { settings, configuration } = options.opened;
  const { tracing = NO_TRACING } = options;
  const { peers } = settings;
  const access = await DATA_ACCESS[settings.dataAccess]({
    store: options.store,
    kinds: KINDS,
    peers,
  });
  const container = createContainer<Cradle>({ injectionMode: InjectionMode.PROXY, strict: true });
  container.register({
    region: asValue(options.region),
    clock: asValue(options.clock),
    randomness: asValue(options.randomness),
    logger: asValue(options.logger),
    settings: asValue(settings),
    configuration: asValue(configuration),
    store: asValue(access.store),
    publishers: asValue(
      access.publishers.map((publisher) => tracePublisher(publisher, tracing.tracer)),
    ),
    stopping: asValue(options.stopping),
    tracing: asValue(tracing),
    notices: asFunction(createNoticesOf).singleton(),
    tables: asFunction(createTablesOf).singleton(),
    hybridClock: asFunction(createClockOf).singleton(),
    links: asFunction(createPeerLinks).singleton(),
    acknowledgements: asFunction(createAcknowledgements).singleton(),
    readVersion: asFunction(createReadVersion).singleton(),
    gate: asFunction(createGateOf).singleton(),
    lateFinish: asFunction(createLateFinish).singleton(),
    relayQueue: asFunction(createRelayQueueOf).singleton(),
    customerTable: asFunction(createCustomerTable).singleton(),
    customers: asFunction(createCustomersOf).singleton(),
    readiness: asFunction(createReadinessOf).singleton(),
  });
  for (const name of Object.keys(container.registrations)) container.resolve(name);
  const { customers, readiness, relayQueue, publishers, notices } = container.cradle;
  return { customers, readiness, relayQueue, publishers, notices };
}

function createNoticesOf({ clock, logger }: Cradle): Notices {
  return createNotices({
    clock,
    onNew: ({ kind, subject, detail }) =>
      logger.error({ event: kind, subject, detail }, 'A row was skipped; see tandem doctor.'),
  });
}

function createTablesOf({ store, settings, notices }: Cradle): RegionTables {
  // What writes remembers rows itself; through these they are only read.
  return createRegionTables({
    ...settings,
    store,
    kinds: KINDS,
    rowMemoryBytesMax: 0,
    onDamagedArchiveRow: ({ partitionKey, rowKey }, { code }) =>
      notices.note('row-foreign', `${ARCHIVE_TABLE}/${partitionKey}/${rowKey}`, code),
  });
}

function createClockOf({ region, randomness, clock, settings, logger }: Cradle): HybridClock {
  return createHybridClock({
    region,
    writer: createWriterId(randomness),
    nowMs: () => clock.nowMs(),
    driftMsMax: settings.driftMsMax,
    onDrift: (report) =>
      logger.warn({ event: 'clock-drift', ...report }, 'A stamp is far ahead of the clock.'),
  });
}
