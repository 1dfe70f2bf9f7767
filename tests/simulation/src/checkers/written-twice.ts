import { rawGadgetOf, valuesIdAt } from '../clients/values.ts';
import type { Commit, Ledger } from '../observe/ledger.ts';
import { isOperators } from '../observe/raw-state.ts';
import type { FinalChecker } from './checker.ts';

/** I3: one request is at most one transaction, while its store loses no row. */
export const writtenTwice: FinalChecker = {
  name: 'written-twice',
  check({ world, history, ledger }) {
    if (world.plan.policy === 'row') return writtenAgain(ledger);
    const commitsOf = new Map<string, Map<string, Commit | undefined>>();
    for (const commit of ledger.commits) {
      const { state, entityId, stamp: own } = commit;
      // An operator writes an old value again.
      if (isOperators(own)) continue;
      for (const [name, { value, stamp }] of state.fields) {
        if (isOperators(stamp)) continue;
        const key = `${name} ${JSON.stringify(value)}`;
        const under = commitsOf.get(key) ?? new Map();
        const first = ledger.commitsUnder(stamp).find((one) => one.entityId === entityId);
        commitsOf.set(key, under.set(stamp, first));
      }
    }
    return history.operations.flatMap(({ id, entityIds, kind, fields, region }) => {
      const values = entityIds.map((_, place) => rawGadgetOf(valuesIdAt(id, place)));
      const found = new Map(
        values.flatMap((own) =>
          fields.flatMap((name) => [
            ...(commitsOf.get(`${name} ${JSON.stringify(own[name])}`) ?? []),
          ]),
        ),
      );
      if (found.size < 2 || isUnguarded([...found.values()], ledger)) return [];
      return [`${kind} ${id} in ${region} was written as ${[...found.keys()].join(' and ')}`];
    });
  },
};

/**
 * A write that owns the whole row stamps what it keeps too, so a stamp does not tell who wrote a value; but every
 * write has a value that nobody had written before.
 */
function writtenAgain(ledger: Ledger): string[] {
  const written = new Map<string, Commit>();
  return ledger.commits.flatMap((commit) => {
    const { entityId, state, stamp, operation, region } = commit;
    const values = [...state.fields].map(
      ([name, { value }]) => `${entityId} ${name} ${JSON.stringify(value)}`,
    );
    const isNew = values.some((value) => !written.has(value));
    const before = values.map((value) => written.get(value));
    for (const value of values) written.set(value, written.get(value) ?? commit);
    if (isNew || operation === 'delete' || isOperators(stamp)) return [];
    if (before.some((one) => isUnguarded([one, commit], ledger))) return [];
    return [`${entityId} was written again in ${region}, by ${stamp}`];
  });
}

/**
 * Where nobody answers the first try of a write, and another has its row meanwhile, the write is done anew under a
 * later stamp, and the row refuses the first try when that comes late. A store that has lost the row refuses nothing.
 */
function isUnguarded(commits: readonly (Commit | undefined)[], ledger: Ledger): boolean {
  const inOrder = commits.filter((one) => one !== undefined).sort((a, b) => a.atMs - b.atMs);
  if (inOrder.length < commits.length) return false;
  return inOrder.every((late, index) => {
    const done = inOrder[index - 1];
    if (done === undefined) return true;
    const { region, entityId } = late;
    if (done.region !== region || done.entityId !== entityId || late.stamp > done.stamp)
      return false;
    const lostMs = ledger.regionNamed(region).lost.get(entityId) ?? [];
    return lostMs.some((atMs) => atMs >= done.atMs && atMs <= late.atMs);
  });
}
