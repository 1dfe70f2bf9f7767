import type { Operation } from '../history/operation.ts';

/**
 * All processes read one machine's clock, in whole milliseconds; two writes closer than this may
 * have got their stamps in either order.
 */
export const CLOCK_MARGIN_MS = 20;

/** Whether the one was over, for certain, before the other began. */
export function precedes(
  one: Pick<Operation, 'outcome' | 'endMs'>,
  other: Pick<Operation, 'startMs'>,
): boolean {
  return one.outcome === 'acknowledged' && one.endMs + CLOCK_MARGIN_MS < other.startMs;
}
