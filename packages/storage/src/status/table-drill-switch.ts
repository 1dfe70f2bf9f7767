import {
  type DrillOrder,
  type DrillSwitch,
  isOutForDrill,
  type Properties,
  type RowOperation,
  type TableRow,
  type TableStore,
} from '@tandem/core';
import { textOf } from '../rows/entity-row.ts';
import { REPLICATION_TABLE } from './table-replication-status.ts';

const PARTITION = 'status';
const ROW = 'drill';

/** One row of the table `Replication`; what no build of ours wrote counts as no order. */
export function createTableDrillSwitch({ store }: { readonly store: TableStore }): DrillSwitch {
  const readRow = () => store.get(REPLICATION_TABLE, PARTITION, ROW);
  const commit = async (operation: RowOperation): Promise<'begun' | 'taken'> => {
    const transaction = { table: REPLICATION_TABLE, partitionKey: PARTITION };
    const outcome = await store.commit({ ...transaction, operations: [operation] });
    return outcome.kind === 'committed' ? 'begun' : 'taken';
  };
  return {
    read: async () => orderOf(await readRow()),
    async begin(order, nowMs) {
      const row = await readRow();
      const present = orderOf(row);
      if (isOutForDrill(present, nowMs) && present.id !== order.id) return 'taken';
      const properties = propertiesOf(order);
      return row === undefined
        ? await commit({ kind: 'insert', rowKey: ROW, properties })
        : await commit({ kind: 'replace', rowKey: ROW, properties, etag: row.etag });
    },
    async end(id, nowMs) {
      const row = await readRow();
      const present = orderOf(row);
      if (row === undefined || present?.id !== id || present.untilMs <= nowMs) return;
      const properties = propertiesOf({ id, untilMs: nowMs });
      await commit({ kind: 'replace', rowKey: ROW, properties, etag: row.etag });
    },
  };
}

function propertiesOf({ id, untilMs }: DrillOrder): Properties {
  return new Map([
    ['id', { type: 'String', value: id }],
    ['until', { type: 'String', value: new Date(untilMs).toISOString() }],
  ]);
}

function orderOf(row: TableRow | undefined): DrillOrder | undefined {
  const id = row && textOf(row.properties, 'id');
  const untilMs = Date.parse((row && textOf(row.properties, 'until')) ?? '');
  return id === undefined || Number.isNaN(untilMs) ? undefined : { id, untilMs };
}
