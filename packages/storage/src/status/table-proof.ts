import type { TableStore } from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const PARTITION = 'status';
const ROW = 'proof';

/** That the regions were proven equal: every write acknowledged before `asOfMs` was everywhere. */
export interface Proof {
  readonly asOfMs: number;
  readonly regions: readonly string[];
}

export interface TableProof {
  /** The newest; undefined when none was ever kept. */
  read(): Promise<Proof | undefined>;
  keep(proof: Proof): Promise<void>;
}

/** One row of the table `Replication`. */
export function createTableProof({ store }: { readonly store: TableStore }): TableProof {
  return {
    async read() {
      const row = await store.get(REPLICATION_TABLE, PARTITION, ROW);
      const asOfMs = Date.parse((row && textOf(row.properties, 'asOf')) ?? '');
      if (row === undefined || Number.isNaN(asOfMs)) return undefined;
      return { asOfMs, regions: (textOf(row.properties, 'regions') ?? '').split(',') };
    },
    async keep({ asOfMs, regions }) {
      const properties = new Map([
        ['asOf', { type: 'String' as const, value: new Date(asOfMs).toISOString() }],
        ['regions', { type: 'String' as const, value: regions.join(',') }],
      ]);
      const operations = [{ kind: 'upsert' as const, rowKey: ROW, properties }];
      await store.commit({ table: REPLICATION_TABLE, partitionKey: PARTITION, operations });
    },
  };
}
