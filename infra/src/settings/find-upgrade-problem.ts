import type { DeploymentSettings } from './deployment-settings.ts';

/** Names the version of each region whose services the stack itself runs. */
type WantedVersions = Readonly<Record<string, string>>;

/** Returns what the stack is to run: nothing before its stage `apps`, and nothing on clusters, where each region has a release of its own. */
export function wantedVersions(settings: DeploymentSettings): WantedVersions {
  const { platform, containerApps, regions, imageTag } = settings;
  if (platform !== 'container-apps' || containerApps?.stage === 'platform') return {};
  return Object.fromEntries(regions.map((region) => [region.name, region.imageTag ?? imageTag]));
}

/**
 * Says why a run may not go on that would give two regions another version at once, by what the run before has written down
 * (`before`, undefined for the first one); a region that is new is none of them. What a run with a target has left alone, or one that failed
 * half way, still has its version of before there.
 */
export function findUpgradeProblem(before: unknown, now: WantedVersions): string | undefined {
  if (typeof before !== 'object' || before === null) return undefined;
  const ran = before as Readonly<Record<string, unknown>>;
  const changed = Object.keys(now).filter(
    (name) => typeof ran[name] === 'string' && ran[name] !== '' && ran[name] !== now[name],
  );
  const last = changed.at(-1);
  if (last === undefined || changed.length < 2) return undefined;
  return (
    `This run would give ${changed.join(' and ')} another version at once, and what is wrong with it would be wrong in all of them: ` +
    `set ${changed
      .slice(0, -1)
      .map((name) => `imageTag ${String(ran[name])} for ${name}`)
      .join(
        ', ',
      )} among deployment.regions, upgrade ${last}, see that it works, and go on with the next.`
  );
}
