/** Requests a second in the cases under load: few enough for a machine that is busy with something else. */
export const RATE_PER_SECOND = Number(process.env['E2E_RATE'] || 50);

/** How long the load goes on between two events of a case. */
export const SETTLE_MS = 3_000;
