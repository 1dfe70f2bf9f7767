/** What to do after the store refused a group because one row was not as expected. */
export interface RefusalPlan<W> {
  /** Its row was changed by someone else: read it again, decide again, commit it later. */
  readonly refused: W;
  /** To be committed at once. */
  readonly resubmitted: readonly W[];
  /** To be read before they are committed. */
  readonly doubtful: readonly W[];
}

/** The store names one row at a time, so many stale ones would cost a transaction each. */
const REFUSALS_BEFORE_DOUBT = 2;

/** `refusals` counts those in a row, this one included. */
export function settleRefusal<W extends { readonly isRemembered: boolean }>(
  members: readonly W[],
  index: number,
  refusals: number,
): RefusalPlan<W> | undefined {
  const refused = members[index];
  if (refused === undefined) return undefined;
  const others = members.filter((_, place) => place !== index);
  if (refusals < REFUSALS_BEFORE_DOUBT) return { refused, resubmitted: others, doubtful: [] };
  const { resubmitted = [], doubtful = [] } = Object.groupBy(others, ({ isRemembered }) =>
    isRemembered ? 'doubtful' : 'resubmitted',
  );
  return { refused, resubmitted, doubtful };
}
