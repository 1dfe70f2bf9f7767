import {
  AppError,
  type KindSources,
  type RegionSources,
  type RegionStatus,
  type RiskSurvey,
  readRegionStatus,
  surveyRisk,
} from '@tandem/core';
import type { WorkIo } from '../io.ts';
import type { Session } from '../session.ts';
import { KINDS } from './choose-kind.ts';
import { type CliRegion, chooseBuckets, findQueue, readDurationMs, withQueue } from './region.ts';

/**
 * What the API of a region says when it is asked whether it is ready; `unknown` where nobody says
 * where it is.
 */
export type ApiSight = 'ready' | 'unready' | 'silent' | 'unknown';

/** A region, or why nothing can be known of it. */
export type RegionSight =
  | { readonly kind: 'seen'; readonly status: RegionStatus; readonly api: ApiSight }
  | { readonly kind: 'unseen'; readonly region: string; readonly error: AppError };

/**
 * Looks at all regions, in the order of the inventory, which is that of their priority. One that is
 * down hides no other.
 */
export async function lookAtRegions(session: Session): Promise<readonly RegionSight[]> {
  const { regions } = await session.inventory();
  return Promise.all(regions.map(({ name }) => lookAtRegion(session, name)));
}

/** Looks at one of them. */
export async function lookAtRegion(session: Session, name: string): Promise<RegionSight> {
  const { regions } = await session.inventory();
  try {
    const region = await session.openAsIs(name);
    const peers = regions.map((one) => one.name).filter((other) => other !== name);
    const sources = await sourcesOf(region, { session, peers });
    const [status, api] = await Promise.all([
      readRegionStatus(sources),
      askApi(session, region.entry.api),
    ]);
    return { kind: 'seen', status, api };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { kind: 'unseen', region: name, error };
  }
}

/** Tells whether a region takes traffic: what its API says counts beside what its tables say. */
export function isReady(sight: RegionSight): boolean {
  if (sight.kind === 'unseen' || sight.status.readiness.kind !== 'ready') return false;
  return sight.api === 'ready' || sight.api === 'unknown';
}

async function askApi({ io }: Session, api: string | undefined): Promise<ApiSight> {
  if (api === undefined) return 'unknown';
  const isApiReady = await io.readReadiness(api);
  if (isApiReady === undefined) return 'silent';
  return isApiReady ? 'ready' : 'unready';
}

/** Says what the status of a region is read from. */
async function sourcesOf(
  region: CliRegion,
  { session, peers }: { readonly session: Session; readonly peers: readonly string[] },
): Promise<RegionSources> {
  const { hold, status, drill, proof } = region;
  const { io } = session;
  const [lagMsMax, waitMsMax, heartbeatMsMax, driftMsMax] = await Promise.all([
    readDurationMs(region, 'Readiness.LagMsMax'),
    readDurationMs(region, 'Readiness.WaitMsMax'),
    readDurationMs(region, 'Readiness.HeartbeatMsMax'),
    readDurationMs(region, 'Clock.DriftMsMax'),
  ]);
  return {
    region: region.name,
    peers,
    kinds: [region.recovery, ...(await othersOf(region, session))],
    status,
    drill,
    hold,
    settings: { lagMsMax, waitMsMax, heartbeatMsMax, driftMsMax },
    clock: io.clock,
    countMessages: await counterOf(region, io),
    readProof: async () => (await proof.read())?.asOfMs,
  };
}

/** Opens what the region keeps of the other kinds; one of an older build has none of them. */
async function othersOf(region: CliRegion, session: Session): Promise<readonly KindSources[]> {
  const others = KINDS.filter(({ name }) => name !== session.kind.name);
  const opened = await Promise.all(others.map((kind) => session.of(kind).openAsIs(region.name)));
  return opened.filter(({ bucketCount }) => bucketCount > 0).map(({ recovery }) => recovery);
}

/** Returns what counts the messages that wait; undefined where nobody can. */
async function counterOf(region: CliRegion, io: WorkIo): Promise<RegionSources['countMessages']> {
  const { countMessages } = io;
  const place = await findQueue(region);
  if (place === undefined || countMessages === undefined) return undefined;
  return () => region.busPatience.bound(() => countMessages(place));
}

/** Finds what would be lost or late if a region vanished now, of the kind that the session is about. */
export async function surveyRegion(
  session: Session,
  { name, bucket }: { readonly name: string; readonly bucket?: string | undefined },
): Promise<RiskSurvey> {
  const region = await session.openOne(name);
  const { regions } = await session.inventory();
  return surveyRisk({
    region: name,
    outbox: region.recovery.outbox,
    buckets: chooseBuckets(region.recovery.buckets, bucket),
    peers: regions.map((one) => one.name).filter((other) => other !== name),
    async openPeer(peer) {
      const opened = await session.openToFill(peer, region.bucketCount);
      return {
        replica: opened.recovery.replica,
        withQueue: (work) => withQueue(opened, session.io, work),
      };
    },
  });
}
