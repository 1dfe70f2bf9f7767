import type { Cluster, Region } from '@tandem/local-cluster';
import type { DemoCustomer } from '../customers/demo-customer.ts';
import type { Progress } from '../report/progress.ts';

export interface RunOptions {
  readonly customers: readonly DemoCustomer[];
  readonly concurrency: number;
  readonly progress: Progress;
}

/** After the last comparison: what has not arrived by then does not arrive. */
export const SAMPLES_WAIT_MS_MAX = 5_000;

export function pairOf({ regions }: Cluster): readonly [Region, Region] {
  const [home, other] = regions;
  if (home === undefined || other === undefined) throw new Error('The demo needs two regions.');
  return [home, other];
}
