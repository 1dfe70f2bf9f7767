import { rawGadgetOf, valuesIdAt } from '../clients/values.ts';
import type { Ledger } from '../observe/ledger.ts';
import { isOperators } from '../observe/raw-state.ts';
import type { FinalChecker } from './checker.ts';

/** I3: one request is at most one transaction. */
export const writtenTwice: FinalChecker = {
  name: 'written-twice',
  check({ world, history, ledger }) {
    if (world.plan.policy === 'row') return writtenAgain(ledger);
    const stampsOf = new Map<string, Set<string>>();
    for (const { state, stamp: own } of ledger.commits) {
      // An operator writes an old value again.
      if (isOperators(own)) continue;
      for (const [name, { value, stamp }] of state.fields) {
        if (isOperators(stamp)) continue;
        const key = `${name} ${JSON.stringify(value)}`;
        const stamps = stampsOf.get(key) ?? new Set();
        stampsOf.set(key, stamps.add(stamp));
      }
    }
    return history.operations.flatMap(({ id, entityIds, kind, fields, region }) => {
      const values = entityIds.map((_, place) => rawGadgetOf(valuesIdAt(id, place)));
      const stamps = new Set(
        values.flatMap((own) =>
          fields.flatMap((name) => [
            ...(stampsOf.get(`${name} ${JSON.stringify(own[name])}`) ?? []),
          ]),
        ),
      );
      if (stamps.size < 2) return [];
      return [`${kind} ${id} in ${region} was written as ${[...stamps].join(' and ')}`];
    });
  },
};

/**
 * A write that owns the whole row stamps what it keeps too, so a stamp does not tell who wrote a value; but every
 * write has a value that nobody had written before.
 */
function writtenAgain({ commits }: Ledger): string[] {
  const written = new Set<string>();
  return commits.flatMap(({ entityId, state, stamp, operation, region }) => {
    const values = [...state.fields].map(
      ([name, { value }]) => `${entityId} ${name} ${JSON.stringify(value)}`,
    );
    const isNew = values.some((value) => !written.has(value));
    for (const value of values) written.add(value);
    if (isNew || operation === 'delete' || isOperators(stamp)) return [];
    return [`${entityId} was written again in ${region}, by ${stamp}`];
  });
}
