/**
 * Delta debugging: the shortest list that it can find, of those that still fail, by leaving out ever
 * smaller parts. `fails` must be the same every time it is asked about the same list.
 */
export async function shrink(
  faults: readonly string[],
  fails: (faults: readonly string[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly string[]> {
  let shortest = faults;
  let parts = 2;
  let tries = 0;
  if (await fails([])) return [];
  while (shortest.length > 1 && tries < triesMax) {
    const size = Math.ceil(shortest.length / parts);
    let found: readonly string[] | undefined;
    for (let start = 0; start < shortest.length && tries < triesMax; start += size) {
      const without = [...shortest.slice(0, start), ...shortest.slice(start + size)];
      tries += 1;
      if (without.length === shortest.length || !(await fails(without))) continue;
      found = without;
      break;
    }
    if (found !== undefined) {
      shortest = found;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) {
      break;
    } else {
      parts = Math.min(shortest.length, parts * 2);
    }
  }
  return shortest;
}
