import { AppError } from '@tandem/core';
import { readConfigurationRow, tandemSettings } from '@tandem/storage';
import type { CliRegion } from './cli-region.ts';

type Named = keyof typeof tandemSettings;

/** The text of a setting of a region, undefined where it has none or no table for them. */
export async function readSettingText(
  { store }: Pick<CliRegion, 'store'>,
  setting: Named,
): Promise<string | undefined> {
  try {
    return await readConfigurationRow(store, setting);
  } catch (error) {
    if (error instanceof AppError && error.code === 'TABLE_MISSING') return undefined;
    throw error;
  }
}

type DurationSetting =
  | 'Readiness.LagMsMax'
  | 'Readiness.WaitMsMax'
  | 'Readiness.HeartbeatMsMax'
  | 'Tombstone.AgeMs'
  | 'Clock.DriftMsMax';

/** As the region reads it: what it cannot use it would not have started with. */
export async function readDurationMs(
  region: Pick<CliRegion, 'store'>,
  name: DurationSetting,
): Promise<number> {
  const setting = tandemSettings[name];
  const text = await readSettingText(region, name);
  const parsed = text === undefined ? undefined : setting.parse(text);
  if (parsed?.kind === 'value') return parsed.value;
  const { presence } = setting;
  return presence.kind === 'default' ? Number(presence.value) : 0;
}

/** The shortest of the regions: what any of them may have collected counts as gone. */
export async function readTombstoneAgeMs(regions: readonly CliRegion[]): Promise<number> {
  const ages = await Promise.all(
    regions.map((region) => readDurationMs(region, 'Tombstone.AgeMs')),
  );
  return Math.min(...ages);
}
