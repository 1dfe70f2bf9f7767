import { type RiskSurvey, surveyRisk } from '@tandem/core';
import type { Session } from '../session.ts';
import { chooseBuckets, withQueue } from './region.ts';

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
