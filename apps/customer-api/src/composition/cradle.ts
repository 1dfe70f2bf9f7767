import type {
  ChangePublisher,
  Clock,
  HybridClock,
  LateFinish,
  Notices,
  PeerLink,
  Randomness,
  RelayQueue,
  TableStore,
} from '@tandem/core';
import type { RegionSettings, RegionTables } from '@tandem/region-kit';
import type { Logger } from '@tandem/service-kit';
import type { ReplicatedTable, TandemConfiguration } from '@tandem/storage';
import type { Telemetry } from '@tandem/telemetry';
import type { Acknowledgements } from '../consistency/acknowledgements.ts';
import type { ReadVersion, VersionGate } from '../consistency/version-gate.ts';
import type { CustomerKind, CustomerService } from '../customers/customer-service.ts';
import type { RegionReadiness } from '../health/region-readiness.ts';

/** Both undefined where nothing is traced. */
export interface Tracing {
  readonly tracer: Telemetry['tracer'];
  /** The trace that a write made now belongs to. */
  readonly traceOf: (() => string | undefined) | undefined;
}

/** What serves the customers of a region, piece by piece; each factory takes what it uses. */
export interface Cradle {
  readonly region: string;
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly settings: RegionSettings;
  readonly configuration: TandemConfiguration;
  readonly store: TableStore;
  readonly publishers: readonly ChangePublisher[];
  readonly stopping: AbortSignal | undefined;
  readonly tracing: Tracing;
  /** What its processes of this region have met and an operator has to see to. */
  readonly notices: Notices;
  readonly tables: RegionTables;
  readonly hybridClock: HybridClock;
  readonly links: readonly PeerLink[];
  readonly acknowledgements: Acknowledgements;
  readonly readVersion: ReadVersion;
  readonly gate: VersionGate;
  readonly lateFinish: LateFinish;
  readonly relayQueue: RelayQueue;
  readonly customerTable: ReplicatedTable<CustomerKind>;
  readonly customers: CustomerService;
  readonly readiness: RegionReadiness;
}
