/** The places at which a process waits, seen and crashed at: `<site>!before` and `<site>!after`. */
export interface Sites {
  see(point: string): void;
  crash(point: string): void;
  readonly seen: ReadonlySet<string>;
  readonly crashed: ReadonlySet<string>;
}

export function createSites(): Sites {
  const seen = new Set<string>();
  const crashed = new Set<string>();
  return {
    see: (point) => void seen.add(point),
    crash: (point) => void crashed.add(point),
    seen,
    crashed,
  };
}
