import type { DrillAnswer } from '../ports/drill-client.ts';
import { covers, mergeVectors, type VersionVector } from '../state/version-vector.ts';

export interface DrillCounts {
  readonly writes: number;
  readonly reads: number;
  /** Requests that got no answer, or an error. */
  readonly failed: number;
  /** Reads that a region refused because it was behind the client. */
  readonly refused: number;
  /**
   * Reads that showed less than the client had been told to be written, and writes onto less than that:
   * there must be none.
   */
  readonly stale: number;
}

/** What one client saw of a drill, and when it was answered by which region. */
export interface DrillTally {
  /** What the client has seen so far. */
  version(): VersionVector | undefined;
  nextCount(): number;
  noteWrite(answer: DrillAnswer, atMs: number): void;
  noteRead(answer: DrillAnswer, atMs: number): void;
  /** The region that answered last. */
  region(): string | undefined;
  /** When a region answered for the first time since it last was another. */
  sinceMs(): number;
  counts(): DrillCounts;
}

export function createDrillTally(): DrillTally {
  const counts = { writes: 0, reads: 0, failed: 0, refused: 0, stale: 0 };
  let version: VersionVector | undefined;
  let asked = 0;
  let acknowledged = 0;
  let region: string | undefined;
  let sinceMs = 0;

  const learn = (seen: VersionVector): void => {
    if (seen.size > 0) version = mergeVectors(version ?? new Map(), seen);
  };

  const note = (answer: DrillAnswer, atMs: number): void => {
    if (answer.kind === 'failed') counts.failed += 1;
    else if (answer.region !== region) {
      ({ region } = answer);
      sinceMs = atMs;
    }
    if (answer.kind === 'refused') counts.refused += 1;
  };

  return {
    version: () => version,
    nextCount: () => (asked += 1),
    noteWrite(answer, atMs) {
      counts.writes += 1;
      note(answer, atMs);
      if (answer.kind !== 'answered') return;
      // The first answer of a region that is behind may be to a write, which hides from every read after it
      // what was missing.
      if (version !== undefined && !covers(answer.version, version)) counts.stale += 1;
      acknowledged = Math.max(acknowledged, answer.count);
      learn(answer.version);
    },
    noteRead(answer, atMs) {
      counts.reads += 1;
      note(answer, atMs);
      if (answer.kind !== 'answered') return;
      // Older than what this client was told: a write whose answer was lost may show, and be newer.
      if (answer.count < acknowledged) counts.stale += 1;
      else learn(answer.version);
    },
    region: () => region,
    sinceMs: () => sinceMs,
    counts: () => ({ ...counts }),
  };
}
