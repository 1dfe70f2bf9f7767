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

/** The shortest of the regions: what any of them may have collected counts as gone. */
export async function readTombstoneAgeMs(regions: readonly CliRegion[]): Promise<number> {
  const ages = await Promise.all(regions.map((region) => readAgeMs(region)));
  return Math.min(...ages);
}

async function readAgeMs(region: CliRegion): Promise<number> {
  const definition = tandemSettings['Tombstone.AgeMs'];
  const text = await readSettingText(region, 'Tombstone.AgeMs');
  const parsed = text === undefined ? undefined : definition.parse(text);
  if (parsed?.kind === 'value') return parsed.value;
  return definition.presence.kind === 'default' ? Number(definition.presence.value) : 0;
}
