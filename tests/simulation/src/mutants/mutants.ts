import { applyMutants } from './apply.ts';
import { arrivalMutants } from './arrival.ts';
import { baseMutants } from './base.ts';
import { conflictMutants } from './conflicts.ts';
import { firstFormMutants } from './first-form.ts';
import { groupMutants } from './group-commit.ts';
import { largeSetMutants } from './large-sets.ts';
import { messageMutants } from './messages.ts';
import { migrationMutants } from './migration.ts';
import type { Mutant } from './mutant.ts';
import { recoveryMutants } from './recovery.ts';
import { relayMutants } from './relay-and-sweep.ts';
import { requestMutants } from './requests.ts';
import { retentionMutants } from './retention.ts';
import { tableMutants } from './tables.ts';
import { transactionMutants } from './transactions.ts';
import { watermarkMutants } from './watermarks.ts';
import { writePathMutants } from './write-path.ts';

export const MUTANTS: readonly Mutant[] = [
  ...firstFormMutants,
  ...writePathMutants,
  ...groupMutants,
  ...transactionMutants,
  ...largeSetMutants,
  ...relayMutants,
  ...applyMutants,
  ...arrivalMutants,
  ...baseMutants,
  ...conflictMutants,
  ...messageMutants,
  ...watermarkMutants,
  ...recoveryMutants,
  ...retentionMutants,
  ...tableMutants,
  ...requestMutants,
  ...migrationMutants,
];

export function findMutant(id: string): Mutant {
  const found = MUTANTS.find((mutant) => mutant.id === id);
  if (found === undefined) throw new Error(`There is no mutant "${id}".`);
  return found;
}
