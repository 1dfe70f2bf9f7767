import { Value } from 'typebox/value';
import { DeploymentSettings } from './deployment-settings.ts';
import { findProbeProblems } from './find-probe-problems.ts';

export type SettingsReading =
  | { readonly ok: true; readonly settings: DeploymentSettings }
  /** One sentence for each problem. */
  | { readonly ok: false; readonly problems: readonly string[] };

/** Pure; finds all problems at once. `value` is what a stack's file holds. */
export function readSettings(value: unknown): SettingsReading {
  const filled = Value.Default(DeploymentSettings, structuredClone(value));
  const problems = Value.Errors(DeploymentSettings, filled).map(
    ({ instancePath, message }) => `deployment${instancePath.replaceAll('/', '.')} ${message}.`,
  );
  if (problems.length > 0) return { ok: false, problems };
  const settings = filled as DeploymentSettings;
  const contradictions = [...findRegionProblems(settings), ...findProbeProblems(settings.probe)];
  return contradictions.length > 0
    ? { ok: false, problems: contradictions }
    : { ok: true, settings };
}

function findRegionProblems({ regions, publicHost }: DeploymentSettings): string[] {
  const problems = [
    ...repeated(regions.map(({ name }) => name)).map(
      (name) => `deployment.regions lists ${name} twice: give each region a name of its own.`,
    ),
    ...repeated(regions.map(({ location }) => location)).map(
      (location) =>
        `deployment.regions has two regions in ${location}, which are lost together: put each into a location of its own.`,
    ),
    ...repeated([publicHost, ...regions.map(({ host }) => host)]).map(
      (host) =>
        `deployment has ${host} twice: the public host and each region need names of their own.`,
    ),
  ];
  if (regions.length === 1) {
    problems.push('deployment.regions lists one region, so there is no peer: add another region.');
  }
  return problems;
}

function repeated(texts: readonly string[]): string[] {
  return [...new Set(texts.filter((text, index) => texts.indexOf(text) < index))];
}
