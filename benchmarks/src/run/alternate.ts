export interface Pair<Measured> {
  readonly subject: Measured;
  readonly baseline: Measured;
}

/** Measures both in turn, each first in every other round: what else the machine does falls on both alike. */
export async function alternate<Measured>(
  rounds: number,
  measure: {
    readonly subject: () => Promise<Measured>;
    readonly baseline: () => Promise<Measured>;
  },
): Promise<Pair<Measured>[]> {
  const pairs: Pair<Measured>[] = [];
  for (let nth = 0; nth < rounds; nth += 1) {
    if (nth % 2 === 0) {
      const baseline = await measure.baseline();
      pairs.push({ baseline, subject: await measure.subject() });
    } else {
      const subject = await measure.subject();
      pairs.push({ subject, baseline: await measure.baseline() });
    }
  }
  return pairs;
}
