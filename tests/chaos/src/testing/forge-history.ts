import type { Operation, RegionState, Seen, Values } from '../history/operation.ts';

export const CUSTOMER = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';

export type Forged = Partial<Operation> & Pick<Operation, 'action'>;

/** Every second one operation of a tenth of a second, answered by the region it was sent to. */
export function forgeHistory(operations: readonly Forged[]): Operation[] {
  return operations.map((given, index) => {
    const startMs = given.startMs ?? index * 1_000;
    const via = given.via ?? 'east';
    return {
      id: index,
      via,
      customer: CUSTOMER,
      values: {},
      startMs,
      endMs: startMs + 100,
      outcome: 'acknowledged',
      region: via === 'front' ? 'east' : via,
      ...given,
    };
  });
}

export function present(values: Values, etag?: string): Seen {
  return { kind: 'present', values, etag };
}

export const ABSENT: Seen = { kind: 'absent' };

/** What east and west show of the customer at the end. */
export function forgeEnd(east: Seen, west: Seen = east): RegionState[] {
  return [
    { region: 'east', startMs: 1_000_000, customers: new Map([[CUSTOMER, east]]) },
    { region: 'west', startMs: 1_000_000, customers: new Map([[CUSTOMER, west]]) },
  ];
}
