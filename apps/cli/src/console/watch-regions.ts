/**
 * What the console knows of the regions, and since when. Each region is asked in a loop of its own, so that one that
 * hangs delays no other; what was known of one that no longer answers stays, with its age. Pages read what is here
 * and never ask a region themselves to be drawn.
 */
import { AppError, type Clock, type DirectionStatus, type RegionStatus } from '@tandem/core';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { readTrafficManager, type TrafficManagerSight } from '../drill/drill-over-http.ts';
import { UsageError } from '../exit-codes.ts';
import { KINDS } from '../regions/choose-kind.ts';
import { lookAtRegion, surveyRegion } from '../regions/look-at-regions.ts';
import { readWireVersion } from '../regions/region.ts';
import type { Session } from '../session.ts';
import type { Dated, Problem, RegionView, RiskFigure } from './judge-region.ts';

export interface RegionWatch {
  /** In the order of the inventory, which is that of their priority. */
  regions(): readonly RegionView[];
  /** Undefined where the inventory names none, or the one it names tells nothing of itself. */
  trafficManager(): Dated<TrafficManagerSight> | undefined;
  readonly hasTrafficManager: boolean;
  readonly plots: PlotRing;
  readonly refreshMs: number;
  /** Ends when the session is told to stop; what is under way then is left alone. */
  run(): Promise<void>;
  /** Looks at everything once. */
  look(): Promise<void>;
}

export const REFRESH_MS = 5_000;
/** A figure that is older counts as not known in the plots. */
const FRESH_MS_MAX = 20_000;

export interface WatchOptions {
  /** Makes the session of one round, so that none remembers what it gave up. */
  readonly openSession: () => Session;
  readonly names: readonly string[];
  readonly trafficManager: string | undefined;
  readonly refreshMs: number;
  /** Is told of what nobody foresaw, once for each. */
  readonly onFault: (error: unknown) => void;
}

export function createRegionWatch(options: WatchOptions): RegionWatch {
  const { openSession, names, refreshMs } = options;
  const { clock, signal } = openSession().io;
  const views = new Map<string, RegionView>(names.map((name) => [name, blankView(name)]));
  const plots = createPlotRing(names);
  let trafficManager: Dated<TrafficManagerSight> | undefined;

  const works = names.flatMap((name) => {
    const look: Look = { name, known: () => views.get(name) ?? blankView(name), ...options, clock };
    return [lookAt, survey, askReplicator, readWire].map((work) => async (): Promise<void> => {
      const part = await work(look);
      views.set(name, { ...look.known(), ...part });
    });
  });
  const askTrafficManager = async (): Promise<void> => {
    const sight = await readTrafficManager(options.trafficManager);
    if (sight !== undefined) trafficManager = { value: sight, atMs: clock.nowMs() };
  };
  const draw = async (): Promise<void> =>
    plots.add(clock.nowMs(), [...views.values()], FRESH_MS_MAX);
  const again = async (work: () => Promise<void>): Promise<void> => {
    while (!signal.aborted) {
      await work();
      await clock.sleep(refreshMs, signal);
    }
  };
  return {
    regions: () => [...views.values()],
    trafficManager: () => trafficManager,
    hasTrafficManager: options.trafficManager !== undefined,
    plots,
    refreshMs,
    async run() {
      await Promise.all([...works, askTrafficManager, draw].map(again));
    },
    async look() {
      await Promise.all([...works, askTrafficManager].map((work) => work()));
      await draw();
    },
  };
}

/** What one look at one region needs. */
interface Look extends Pick<WatchOptions, 'openSession' | 'onFault'> {
  readonly name: string;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** What was known of it so far. */
  readonly known: () => RegionView;
}

async function lookAt({ name, openSession, onFault, clock, known }: Look): Promise<ViewPart> {
  try {
    const sight = await lookAtRegion(openSession(), name);
    if (sight.kind === 'unseen') throw sight.error;
    const atMs = clock.nowMs();
    return {
      status: { value: sight.status, atMs },
      api: { value: sight.api, atMs },
      unseen: undefined,
    };
  } catch (error) {
    return { unseen: sinceOf(known().unseen, problemOf(error, onFault), clock) };
  }
}

async function survey({ name, openSession, onFault, clock, known }: Look): Promise<ViewPart> {
  try {
    const value = await surveyAll(openSession(), name);
    return { risk: { value, atMs: clock.nowMs() }, riskUnknown: undefined };
  } catch (error) {
    return { riskUnknown: sinceOf(known().riskUnknown, problemOf(error, onFault), clock) };
  }
}

async function askReplicator({ name, openSession, onFault, clock }: Look): Promise<ViewPart> {
  try {
    const status = await readReplicator((await openSession().entry(name)).replicator);
    if (status === undefined) return {};
    const { build } = status;
    // One of an older build that says nothing of it is no longer what was said before.
    return { build: build === undefined ? undefined : { value: build, atMs: clock.nowMs() } };
  } catch (error) {
    problemOf(error, onFault);
    return {};
  }
}

async function readWire({ name, openSession, onFault, clock }: Look): Promise<ViewPart> {
  try {
    const value = await readWireVersion(await openSession().openAsIs(name));
    return { wireVersion: { value, atMs: clock.nowMs() } };
  } catch (error) {
    // That nothing is heard of the region is said already; what was known keeps its age.
    problemOf(error, onFault);
    return {};
  }
}

type ViewPart = Partial<RegionView>;

function blankView(name: string): RegionView {
  return {
    name,
    status: undefined,
    api: undefined,
    unseen: undefined,
    risk: undefined,
    riskUnknown: undefined,
    build: undefined,
    wireVersion: undefined,
  };
}

/** Keeps since when it is so. */
function sinceOf(
  known: Dated<Problem> | undefined,
  value: Problem,
  clock: Pick<Clock, 'nowMs'>,
): Dated<Problem> {
  return { value, atMs: known?.atMs ?? clock.nowMs() };
}

/** Says what went wrong; what nobody foresaw ends one look, and never the console. */
function problemOf(error: unknown, onFault: (error: unknown) => void): Problem {
  if (error instanceof AppError) return { code: error.code, message: error.message };
  if (error instanceof UsageError) return { code: 'INVENTORY', message: error.message };
  onFault(error);
  return { code: 'FAULT', message: 'The console met an error of its own; its terminal shows it.' };
}

/** Joins what is at risk of every entity kind that the region has. */
async function surveyAll(session: Session, name: string): Promise<RiskFigure> {
  const outOfReach = new Set<string>();
  const figure = { lost: 0, delayed: 0, unreadable: 0 };
  const missing: Record<string, number> = {};
  for (const kind of KINDS) {
    const about = session.of(kind);
    // A region of an older build has no rows of some kinds.
    if (kind !== KINDS[0] && (await about.openAsIs(name)).bucketCount === 0) continue;
    const survey = await surveyRegion(about, { name });
    for (const { fate, places } of survey.writes) {
      figure[fate] += 1;
      for (const [peer, place] of Object.entries(places)) {
        if (LACKING.includes(place)) missing[peer] = (missing[peer] ?? 0) + 1;
      }
    }
    figure.unreadable += survey.unreadable.length;
    for (const peer of survey.outOfReach) outOfReach.add(peer);
  }
  return { ...figure, missing, outOfReach: [...outOfReach] };
}

/** Name the places that show a peer to lack a write; nothing is assumed of one that cannot be asked. */
const LACKING: readonly string[] = ['nowhere', 'not-known'];

const REPLICATOR_TIMEOUT_MS = 5_000;
const replicatorSchema = Type.Object({
  build: Type.Optional(
    Type.Object({
      version: Type.String({ maxLength: 100 }),
      wireVersionMax: Type.Integer({ minimum: 0 }),
    }),
  ),
});
const checkReplicator = Compile(replicatorSchema);

/** Asks a replicator what it is; undefined where it does not say. */
async function readReplicator(
  replicator: string | undefined,
): Promise<Static<typeof replicatorSchema> | undefined> {
  if (replicator === undefined) return undefined;
  try {
    const signal = AbortSignal.timeout(REPLICATOR_TIMEOUT_MS);
    const response = await fetch(`${replicator.replace(/\/$/, '')}/status`, { signal });
    const status: unknown = await response.json();
    return checkReplicator.Check(status) ? status : undefined;
  } catch {
    // It is down, or something else answers there: what it was keeps its age.
    return undefined;
  }
}

// The figures of the last hour, for the plots: in memory, since longer histories are for what scrapes the metrics.

/** What is drawn: one plot for each. */
export type PlotName = 'lag' | 'outbox' | 'writes' | 'risk';

interface Series {
  readonly label: string;
  /** Null where it was not known. */
  readonly values: readonly (number | null)[];
}

interface PlotRing {
  add(nowMs: number, regions: readonly RegionView[], freshMsMax: number): void;
  /** In seconds since the epoch, as the plots take them, the oldest first. */
  times(): readonly number[];
  series(plot: PlotName): readonly Series[];
}

interface Sample {
  readonly atMs: number;
  readonly values: ReadonlyMap<string, number>;
}

const SPAN_MS = 3_600_000;
/** One a second for an hour: who refreshes more often keeps less. */
const SAMPLES_MAX = 3_600;
const MS_PER_S = 1_000;

function createPlotRing(names: readonly string[]): PlotRing {
  const samples: Sample[] = [];
  const counts = new Map<string, Count>();
  const directions = names.flatMap((from) =>
    names.flatMap((to) => (to === from ? [] : [arrow(from, to)])),
  );

  const countRate = (direction: string, value: number | undefined, atMs: number) => {
    const count = value === undefined ? undefined : countOn(counts.get(direction), { value, atMs });
    if (count === undefined) counts.delete(direction);
    else counts.set(direction, count);
    return count?.rate;
  };
  return {
    add(nowMs, regions, freshMsMax) {
      const fresh = <T>(figure: Dated<T> | undefined): Dated<T> | undefined =>
        figure !== undefined && nowMs - figure.atMs <= freshMsMax ? figure : undefined;
      const values = new Map<string, number>();
      const set = (plot: PlotName, direction: string, value: number | undefined): void => {
        if (value !== undefined) values.set(`${plot} ${direction}`, value);
      };
      for (const view of regions) {
        // What was known before is on the page, with its age; a line would go on level where all gets worse.
        const status = view.unseen === undefined ? fresh(view.status) : undefined;
        const risk = view.riskUnknown === undefined ? fresh(view.risk) : undefined;
        for (const peer of names.filter((one) => one !== view.name)) {
          const [into, outOf] = [arrow(peer, view.name), arrow(view.name, peer)];
          const told = status?.value.directions.find((one) => one.peer === peer);
          set('lag', into, told?.lagMs && told.lagMs / MS_PER_S);
          set('outbox', outOf, told && oldestS(told, status));
          set('writes', into, countRate(into, told?.appliedSets, status?.atMs ?? nowMs));
          set('risk', outOf, risk && (risk.value.missing[peer] ?? 0) + risk.value.unreadable);
        }
      }
      samples.push({ atMs: nowMs, values });
      while (samples.length > SAMPLES_MAX || nowMs - (samples[0]?.atMs ?? nowMs) > SPAN_MS) {
        samples.shift();
      }
    },
    times: () => samples.map(({ atMs }) => atMs / MS_PER_S),
    series: (plot) =>
      directions.map((label) => ({
        label,
        values: samples.map(({ values }) => values.get(`${plot} ${label}`) ?? null),
      })),
  };
}

function arrow(from: string, to: string): string {
  return `${from} → ${to}`;
}

/** Returns undefined where nobody can say how old what is owed is, or whether anything is: that is not nothing. */
function oldestS(
  { owedAgeMs, owedUndated }: DirectionStatus,
  status: Dated<RegionStatus> | undefined,
): number | undefined {
  if (owedAgeMs !== undefined) return owedAgeMs / MS_PER_S;
  return owedUndated > 0 || status?.value.outbox.isComplete !== true ? undefined : 0;
}

interface Count {
  readonly last: Dated<number>;
  /** How many a second; undefined until there are two counts, and where the count began anew. */
  readonly rate: number | undefined;
}

function countOn(before: Count | undefined, last: Dated<number>): Count {
  if (before === undefined) return { last, rate: undefined };
  const passedMs = last.atMs - before.last.atMs;
  // Nobody has asked since.
  if (passedMs <= 0) return before;
  const more = last.value - before.last.value;
  return { last, rate: more < 0 ? undefined : (more * MS_PER_S) / passedMs };
}
