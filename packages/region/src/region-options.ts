// What a region is opened with: what it takes, its defaults, and what is refused of it.
import {
  type Clock,
  type EntityKind,
  isRegionName,
  type Randomness,
  type TableSettings,
  type TableStore,
  TerminalError,
  type TypedKind,
  tableKeyOf,
} from '@tandem/core';
import {
  createLogger,
  createSystemClock,
  createSystemRandomness,
  type Environment,
  type Logger,
} from '@tandem/service-kit';
import { environmentNameOf, type tandemSettings } from '@tandem/storage';
import type { Telemetry } from '@tandem/telemetry';
import { type Bus, createServiceBus, type OpenSource, openStore } from './connections.ts';
import { createQuietLogger } from './quiet-logger.ts';
import { withOwnKinds } from './region-tables.ts';

/** Entity kinds, and tables of the catalogue, by the names that a service has for them. */
export type RegionKinds = Readonly<Record<string, TypedKind | DeclaredTable>>;

/** A table of the catalogue that a region makes when it is opened, unless there is one of that name. */
export interface DeclaredTable {
  readonly form: 'declared';
  readonly name: string;
  readonly settings: TableSettings;
}

/**
 * Declares a table of rows whose columns nobody declares. Throws `TABLE_REQUEST_INVALID` for what is no name of a
 * table.
 */
export function defineOpenTable({
  name,
  ...settings
}: TableSettings & { readonly name: string }): DeclaredTable {
  tableKeyOf(name);
  return { form: 'declared', name, settings };
}

export interface RegionOptions<T extends RegionKinds> {
  /** The name of this region: part of keys and stamps, so it never changes. */
  readonly region: string;
  /** The region's storage account: a connection string, the URL of its tables, or a store. */
  readonly store: TableStore | string;
  readonly tables: T;
  /** Whether this process runs the replicator's duties too; false by default. Any number of processes may. */
  readonly replicate?: boolean;
  /** Reaches the namespaces; Azure Service Bus by default. */
  readonly bus?: Bus;
  /**
   * Where the region's own queue is created, if elsewhere than where it is used, as with an emulator; by default
   * what the environment has as `SERVICE_BUS_ADMINISTRATION_CONNECTION`.
   */
  readonly administrationConnection?: string | undefined;
  /** Settings by their names, over what the table `Configuration` says. */
  readonly settings?: Readonly<Partial<Record<keyof typeof tandemSettings, string>>>;
  /** The same by the names of environment variables; none by default. */
  readonly environment?: Environment;
  /** How long a stop may take altogether, in milliseconds; 20,000 by default. */
  readonly shutdownMs?: number;
  /** JSON lines on standard output from `info` on by default. */
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly randomness?: Randomness;
  /** Opens the accounts that `Tables.Sources` names; those of Azure Table Storage by default. */
  readonly openSource?: OpenSource;
  /** Traces nothing by default. */
  readonly tracing?: Tracing;
}

/** Both undefined where nothing is traced. */
interface Tracing {
  readonly tracer: Telemetry['tracer'];
  /** Returns the trace that a write made now belongs to. */
  readonly traceOf: (() => string | undefined) | undefined;
}

/** What was given, complete and checked. */
export interface RegionSetup {
  readonly region: string;
  readonly tables: RegionKinds;
  /** Every kind that the region carries: those of its tables, and its own. */
  readonly kinds: readonly EntityKind[];
  readonly store: TableStore;
  readonly bus: Bus;
  readonly environment: Environment;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly openSource: OpenSource;
  readonly logger: Logger;
  /** Says once what repeats itself. */
  readonly quiet: Logger;
  readonly tracing: Tracing;
  readonly stopping: AbortController;
}

const REPEATED_LINE_MS = 60_000;
const LINES_PER_EVENT_MAX = 10;

/** Throws `CONFIGURATION_INVALID` and `ENTITY_KIND_INVALID`; connects to nothing. */
export function readOptions(given: RegionOptions<RegionKinds>): RegionSetup {
  const { region, tables, settings = {}, environment = {} } = given;
  const { clock = createSystemClock() } = given;
  const administrationConnection =
    given.administrationConnection ?? environment['SERVICE_BUS_ADMINISTRATION_CONNECTION'];
  const logger = given.logger ?? createLogger({ service: 'region', region, level: 'info' });
  if (!isRegionName(region)) {
    const rule =
      'lower-case letters and digits, a letter first, at most 31, as "east", and not "old"';
    throw new TerminalError('CONFIGURATION_INVALID', `"${region}" names no region: use ${rule}.`);
  }
  checkTables(tables);
  const overrides = Object.entries(settings).map(([name, text]) => [environmentNameOf(name), text]);
  return {
    region,
    tables,
    kinds: withOwnKinds(Object.values(tables).filter((one) => one.form === 'typed')),
    store: typeof given.store === 'string' ? openStore(given.store) : given.store,
    bus: given.bus ?? createServiceBus({ logger, administrationConnection }),
    environment: { ...environment, ...Object.fromEntries(overrides) },
    clock,
    randomness: given.randomness ?? createSystemRandomness(),
    openSource: given.openSource ?? openStore,
    logger,
    quiet: createQuietLogger({
      logger,
      clock,
      windowMs: REPEATED_LINE_MS,
      linesPerEventMax: LINES_PER_EVENT_MAX,
    }),
    tracing: given.tracing ?? { tracer: undefined, traceOf: undefined },
    stopping: new AbortController(),
  };
}

/** Checks that a kind has one table, whose writes share transactions, and that a table has one declaration. */
function checkTables(tables: RegionKinds): void {
  const names = new Map<string, string>();
  for (const [name, one] of Object.entries(tables)) {
    const key = `${one.form} ${one.name.toLowerCase()}`;
    const other = names.get(key);
    if (other !== undefined) {
      const what = one.form === 'typed' ? 'of the kind' : 'the table';
      const message = `The tables "${other}" and "${name}" are both ${what} ${one.name}: give each one name.`;
      throw new TerminalError('ENTITY_KIND_INVALID', message);
    }
    names.set(key, name);
  }
}
