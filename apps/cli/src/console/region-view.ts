// What is known of one region, each figure with its age.
import type { RegionStatus } from '@tandem/core';
import type { ApiSight } from '../regions/look-at-regions.ts';

/** A figure, and when it was read. */
export interface Dated<T> {
  readonly value: T;
  readonly atMs: number;
}

/** Why the last look failed. */
export interface Problem {
  readonly code: string;
  readonly message: string;
}

/** What a region would take with it if it vanished. */
export interface RiskFigure {
  readonly lost: number;
  readonly delayed: number;
  /** Rows of its outbox that nobody can read: what they hold would be lost too. */
  readonly unreadable: number;
  /** Peers that could not be asked, and may have more than is said. */
  readonly outOfReach: readonly string[];
}

/** What a replicator says of itself. */
interface Build {
  readonly version: string;
  /** The newest messages that it reads. */
  readonly wireVersionMax: number;
}

export interface RegionView {
  readonly name: string;
  /** The last that its tables told. */
  readonly status: Dated<RegionStatus> | undefined;
  readonly api: Dated<ApiSight> | undefined;
  /** Since when, and why, it tells nothing; undefined while it does. */
  readonly unseen: Dated<Problem> | undefined;
  readonly risk: Dated<RiskFigure> | undefined;
  /** Why what is at risk cannot be told now. */
  readonly riskUnknown: Dated<Problem> | undefined;
  /** Change sets that its replicator sent on since it started; undefined where none says. */
  readonly relayed: Dated<number> | undefined;
  /** What its replicator was when it last said so. */
  readonly build: Dated<Build> | undefined;
  /** Which messages the region writes. */
  readonly wireVersion: Dated<number> | undefined;
}
