/** Takes a region out of traffic for a while, so that a fail-over can be practised and measured. */
export interface DrillOrder {
  /** Whoever ends a drill names it, so that two operators do not end each other's. */
  readonly id: string;
  /** Is a time in milliseconds since the epoch, by the clock of the region. */
  readonly untilMs: number;
}

/** A drill ends by itself: one that claims to end later than this was made by a wrong clock. */
export const DRILL_MS_MAX = 3_600_000;

/** Says whether the order is in force: the region says that it is not ready, and its replicator rests. */
export function isOutForDrill(order: DrillOrder | undefined, nowMs: number): order is DrillOrder {
  return order !== undefined && nowMs < order.untilMs && order.untilMs - nowMs <= DRILL_MS_MAX;
}
