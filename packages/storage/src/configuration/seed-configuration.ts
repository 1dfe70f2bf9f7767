import type { TableStore } from '@tandem/core';
import { CONFIGURATION_TABLE, insertConfigurationRow } from './configuration-table.ts';
import {
  configurationInvalid,
  type SettingDefinitions,
  type SettingProblem,
} from './resolve-settings.ts';

export interface SeedOptions<D extends SettingDefinitions> {
  readonly store: TableStore;
  readonly definitions: D;
  /** As texts, the way the rows hold them. */
  readonly values: { readonly [N in keyof D & string]?: string };
}

/**
 * Writes the rows that are missing, for a local set-up; a row that is there stays as it is. Returns
 * the names written. Throws `CONFIGURATION_INVALID`, before anything is written, for malformed texts.
 */
export async function seedConfiguration<D extends SettingDefinitions>(
  options: SeedOptions<D>,
): Promise<string[]> {
  const { store, definitions } = options;
  const texts = Object.entries<string | undefined>(options.values).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  const problems = texts.flatMap(([setting, text]): SettingProblem[] => {
    const parsed = definitions[setting]?.parse(text);
    if (parsed?.kind === 'value') return [];
    return [{ setting, problem: parsed?.problem ?? 'is no setting' }];
  });
  if (problems.length > 0) throw configurationInvalid(definitions, problems);
  await store.createTable(CONFIGURATION_TABLE);
  const written: string[] = [];
  for (const [setting, text] of texts) {
    if (await insertConfigurationRow(store, setting, text)) written.push(setting);
  }
  return written;
}
