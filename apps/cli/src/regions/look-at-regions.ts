import { AppError, type RegionStatus, readRegionStatus } from '@tandem/core';
import type { Session } from '../session.ts';
import { createRegionSources } from './region-sources.ts';

/** What the API of a region says when it is asked whether it is ready; `unknown` where nobody says where it is. */
export type ApiSight = 'ready' | 'unready' | 'silent' | 'unknown';

/** A region, or why nothing can be known of it. */
export type RegionSight =
  | { readonly kind: 'seen'; readonly status: RegionStatus; readonly api: ApiSight }
  | { readonly kind: 'unseen'; readonly region: string; readonly error: AppError };

/** In the order of the inventory, which is that of their priority. One that is down hides no other. */
export async function lookAtRegions(session: Session): Promise<readonly RegionSight[]> {
  const { regions } = await session.inventory();
  const names = regions.map(({ name }) => name);
  return Promise.all(
    names.map(async (name): Promise<RegionSight> => {
      try {
        const region = await session.openOne(name, 0);
        const peers = names.filter((other) => other !== name);
        const sources = await createRegionSources(region, { io: session.io, peers });
        const [status, api] = await Promise.all([
          readRegionStatus(sources),
          askApi(session, region.entry.api),
        ]);
        return { kind: 'seen', status, api };
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        return { kind: 'unseen', region: name, error };
      }
    }),
  );
}

/** Its tables may say so while no API is there to take traffic: what it says itself counts as well. */
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
