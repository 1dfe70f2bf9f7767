/** Faults that begin and end at a time, whatever calls are under way. */
export type NemesisKind =
  | 'crash'
  | 'stay-down'
  | 'pause'
  | 'limp'
  | 'cut'
  | 'cut-one-way'
  | 'lose-answers'
  | 'isolate'
  | 'clog'
  | 'store-down'
  | 'bus-down'
  | 'silent-receiver'
  | 'freeze-store'
  | 'freeze-broker'
  | 'freeze-link'
  | 'clock-skew'
  | 'clock-back'
  | 'clock-freeze'
  | 'clock-far-ahead'
  | 'poison'
  | 'resend-old'
  | 'forged'
  | 'fail-one-row'
  | 'refuse-one-row'
  | 'clock-year-ahead'
  | 'damage-row'
  | 'lose-rows'
  | 'lose-journal'
  | 'lose-archive'
  | 'lose-all';

export interface NemesisEvent {
  readonly id: string;
  readonly kind: NemesisKind;
  /** True time. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Chooses the process, region or link, by remainder. */
  readonly target: number;
  /** The size of a skew, the number of a message: what the kind makes of it. */
  readonly amount: number;
}

export interface NemesisRule {
  readonly kind: NemesisKind;
  readonly countMax: number;
  readonly durationMs: readonly [number, number];
}

export const NEMESIS_RULES: readonly NemesisRule[] = [
  { kind: 'crash', countMax: 6, durationMs: [50, 3_000] },
  { kind: 'stay-down', countMax: 2, durationMs: [10_000, 50_000] },
  { kind: 'pause', countMax: 4, durationMs: [500, 70_000] },
  { kind: 'limp', countMax: 2, durationMs: [5_000, 60_000] },
  { kind: 'cut', countMax: 3, durationMs: [1_000, 60_000] },
  { kind: 'cut-one-way', countMax: 3, durationMs: [1_000, 60_000] },
  { kind: 'lose-answers', countMax: 2, durationMs: [1_000, 20_000] },
  { kind: 'isolate', countMax: 2, durationMs: [1_000, 60_000] },
  { kind: 'clog', countMax: 4, durationMs: [1_000, 20_000] },
  { kind: 'store-down', countMax: 2, durationMs: [500, 45_000] },
  { kind: 'bus-down', countMax: 2, durationMs: [500, 40_000] },
  { kind: 'silent-receiver', countMax: 2, durationMs: [1_000, 40_000] },
  { kind: 'freeze-store', countMax: 2, durationMs: [2_000, 60_000] },
  { kind: 'freeze-broker', countMax: 2, durationMs: [2_000, 60_000] },
  { kind: 'freeze-link', countMax: 2, durationMs: [2_000, 60_000] },
  { kind: 'clock-skew', countMax: 3, durationMs: [5_000, 60_000] },
  { kind: 'clock-back', countMax: 2, durationMs: [5_000, 60_000] },
  { kind: 'clock-freeze', countMax: 2, durationMs: [1_000, 20_000] },
  { kind: 'clock-far-ahead', countMax: 1, durationMs: [5_000, 60_000] },
  { kind: 'clock-year-ahead', countMax: 3, durationMs: [300, 4_000] },
  { kind: 'fail-one-row', countMax: 2, durationMs: [500, 70_000] },
  { kind: 'refuse-one-row', countMax: 2, durationMs: [5_000, 40_000] },
  { kind: 'damage-row', countMax: 5, durationMs: [1_000, 40_000] },
  { kind: 'forged', countMax: 2, durationMs: [0, 0] },
  { kind: 'poison', countMax: 4, durationMs: [0, 0] },
  { kind: 'resend-old', countMax: 4, durationMs: [0, 0] },
  { kind: 'lose-rows', countMax: 2, durationMs: [0, 0] },
  { kind: 'lose-journal', countMax: 1, durationMs: [0, 0] },
  { kind: 'lose-archive', countMax: 1, durationMs: [0, 0] },
  { kind: 'lose-all', countMax: 1, durationMs: [0, 0] },
];
