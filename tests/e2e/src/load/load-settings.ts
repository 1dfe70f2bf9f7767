/** Requests a second in the cases under load. */
export const RATE_PER_SECOND = Number(process.env['E2E_RATE'] || 200);

/** How long the load goes on between two events of a case. */
export const SETTLE_MS = 3_000;
