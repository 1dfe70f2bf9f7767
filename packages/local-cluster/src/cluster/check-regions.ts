import { isRegionName } from '@tandem/core';
import { LocalClusterError } from '../local-cluster-error.ts';
import { REGIONS_MAX } from '../ports/port-plan.ts';

/** Throws OPTIONS_INVALID with the rule that the names break. */
export function checkRegions(names: readonly string[]): void {
  const problem = findProblem(names);
  if (problem !== undefined) throw new LocalClusterError('OPTIONS_INVALID', problem);
}

function findProblem(names: readonly string[]): string | undefined {
  if (names.length === 0 || names.length > REGIONS_MAX) {
    return `There are ${names.length} regions: a cluster has 1 to ${REGIONS_MAX}.`;
  }
  const bad = names.find((name) => !isRegionName(name));
  if (bad !== undefined) {
    return `"${bad}" is no name of a region: use a-z and 0-9, a letter first, at most 31.`;
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `The region ${twice} is there twice.`;
}
