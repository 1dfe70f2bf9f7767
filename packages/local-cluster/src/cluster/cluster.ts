import { isRegionName } from '@tandem/core';
import { LocalClusterError } from '../local-cluster-error.ts';
import { REGIONS_MAX } from '../ports/port-plan.ts';
import type { LocalProcess } from '../process/local-process.ts';
import type { Probing } from '../programs/programs.ts';
import type { Region } from './region.ts';
import type { ClusterListener, RestartPolicy } from './supervised-process.ts';

/** Names as many as have a name of their own, in the order in which the traffic manager prefers them. */
const REGION_NAMES: readonly string[] = ['east', 'west', 'north', 'south', 'center'];

/** Counts the regions that `regionNames` has names for. */
export const REGION_NAMES_MAX = REGION_NAMES.length;

/** Returns the names of so many regions, at most REGION_NAMES_MAX. */
export function regionNames(count: number): readonly string[] {
  return REGION_NAMES.slice(0, count);
}

export const REGIONS_DEFAULT = regionNames(2);

/** With one alone there is nothing to replicate. */
const REGIONS_ASKED_MIN = REGIONS_DEFAULT.length;

/** Tells what `parseRegions` takes, for a help text. */
export const REGIONS_TEXT =
  `${REGIONS_ASKED_MIN} to ${REGION_NAMES_MAX}: how many (${REGION_NAMES.join(', ')}), ` +
  'or their names, the preferred one first, as tokyo,lima,oslo';

/** Reads how many regions a person wants, or their names with commas between; the rule that is broken is the problem. */
export function parseRegions(
  text: string,
):
  | { readonly kind: 'regions'; readonly regions: readonly string[] }
  | { readonly kind: 'problem'; readonly problem: string } {
  const words = text.split(',').map((word) => word.trim());
  const isCount = words.length === 1 && /^\d*$/.test(text.trim());
  const count = isCount ? Number(text) : words.length;
  if (count < REGIONS_ASKED_MIN || count > REGION_NAMES_MAX) {
    return { kind: 'problem', problem: `"${text}" are not ${REGIONS_TEXT}.` };
  }
  const regions = isCount ? regionNames(count) : words;
  const problem = findProblem(regions);
  return problem === undefined ? { kind: 'regions', regions } : { kind: 'problem', problem };
}

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
    return `"${bad}" is no name of a region: use a-z and 0-9, a letter first, at most 31, and not "old".`;
  }
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  return twice === undefined ? undefined : `The region ${twice} is there twice.`;
}

export interface ClusterOptions {
  /** Has 1 to 9 names; the first is preferred by the traffic manager. East and west by default. */
  readonly regions?: readonly string[];
  /** Is the first of the 100 ports that the cluster may use; by default a free block is found. */
  readonly portBase?: number;
  /** Is kept from run to run. By default a temporary folder, removed at the end. */
  readonly dataFolder?: string;
  /** Leaves a temporary folder where it is. */
  readonly keepData?: boolean;
  readonly probing?: Probing;
  /** By default a process that ends unexpectedly is reported, also by `stop`, and left down. */
  readonly restart?: RestartPolicy;
  /** Adds rows to the Configuration table of every region, beyond those that connect the regions. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Sets variables of single processes, by their name (`API of east`), over those that they have anyway. */
  readonly environment?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** A program that serves the tables of each region in place of Azurite, with the same options and words. */
  readonly tablesMain?: string | undefined;
  readonly onEvent?: ClusterListener;
  /** Aborted, it stops the start; what was started already is gone when the start rejects. */
  readonly signal?: AbortSignal;
}

/** Is whole regions as processes of this machine, with a traffic manager in front. */
export interface Cluster {
  readonly dataFolder: string;
  readonly logFolder: string;
  readonly portBase: number;
  /** Stand in the order in which the traffic manager prefers them. */
  readonly regions: readonly Region[];
  readonly trafficManager: LocalProcess;
  /** Is `http://127.0.0.1:7700`, or of another block. */
  readonly trafficManagerUrl: string;
  /** Is kept free for the console of these regions. */
  readonly consolePort: number;
  /** Throws when there is no such region. */
  region(name: string): Region;
  /**
   * Resolves when no process and no port of it is left. Idempotent. Rejects then with PROCESS_FAILED when a process
   * had ended by itself and is not started again: a test that stops its cluster fails.
   */
  stop(): Promise<void>;
}
