// What runs only on a bad day, and the tests that should notice when a line of it is wrong. Both are globs
// from the root; the tests are those that need neither a store nor a bus of their own.

export interface Area {
  readonly mutated: readonly string[];
  readonly tests: readonly string[];
}

const COMMANDS = 'apps/cli/src/**/!(*.int).test.ts';

export const AREAS = {
  recovery: {
    mutated: ['packages/{core,storage}/src/recovery/*.ts'],
    tests: ['packages/{core,storage}/src/recovery/!(*.int).test.ts', COMMANDS],
  },
  drill: {
    mutated: [
      '{packages/core,apps/cli}/src/drill/*.ts',
      'packages/region/src/replication/drill-rest.ts',
    ],
    tests: [
      '{packages/core,apps/cli}/src/drill/!(*.int).test.ts',
      'packages/region/src/replication/drill-rest.test.ts',
    ],
  },
  archive: {
    mutated: [
      'packages/storage/src/tables/{table-archive,table-conflict-journal}.ts',
      'packages/storage/src/read/entity-history.ts',
    ],
    tests: ['packages/storage/src/{tables,read,recovery}/!(*.int).test.ts'],
  },
  outbox: {
    mutated: [
      'packages/core/src/outbound/{relay,sweep}.ts',
      'packages/core/src/inbound/archive-in-rounds.ts',
      'packages/storage/src/tables/table-outbox.ts',
      'packages/storage/src/write-path/commit-change-set.ts',
    ],
    tests: [
      'packages/core/src/{outbound,inbound}/!(*.int).test.ts',
      'packages/storage/src/{tables,write-path}/!(*.int).test.ts',
    ],
  },
  tombstones: {
    mutated: [
      'packages/core/src/retention/retention-horizon.ts',
      'packages/storage/src/retention/*.ts',
      'packages/region/src/replication/duties/region-duties.ts',
    ],
    tests: [
      'packages/core/src/retention/tombstone-horizon.test.ts',
      'packages/storage/src/retention/!(*.int).test.ts',
      'packages/storage/src/catalogue/{purge-tables,table-catalogue}.test.ts',
      'packages/storage/src/read/old-table.test.ts',
      'packages/region/src/replication/duties/tombstone-duty.test.ts',
    ],
  },
  leases: {
    mutated: [
      'packages/storage/src/status/*.ts',
      'packages/core/src/inbound/heartbeat.ts',
      'packages/region/src/replication/duties/*.ts',
    ],
    tests: [
      'packages/storage/src/status/!(*.int).test.ts',
      'packages/core/src/inbound/heartbeat.test.ts',
      'packages/region/src/replication/duties/!(*.int).test.ts',
    ],
  },
  commands: {
    mutated: ['apps/cli/src/*.ts', 'apps/cli/src/{commands,inventory,regions,report}/*.ts'],
    tests: [COMMANDS],
  },
  region: {
    mutated: [
      'packages/region/src/*.ts',
      'packages/region/src/{consistency,readiness}/*.ts',
      'packages/region/src/replication/*.ts',
    ],
    tests: ['packages/region/src/**/!(*.int).test.ts'],
  },
  auth: {
    mutated: ['packages/service-kit/src/tokens/*.ts', 'apps/customer-api/src/plugins/auth.ts'],
    // Those that listen on loopback need no more than that.
    tests: [
      'packages/service-kit/src/tokens/*.test.ts',
      'apps/customer-api/src/plugins/**/!(*.int).test.ts',
      'apps/customer-api/src/plugins/auth.int.test.ts',
    ],
  },
} as const satisfies Record<string, Area>;

export type AreaName = keyof typeof AREAS;

export const AREA_NAMES = Object.keys(AREAS) as AreaName[];
