/**
 * The settings of a region, from its table `Configuration` (a row per setting, RowKey = name, column
 * `value`), overridden by the environment for development. Typed by their definitions.
 */
import { AppError, assert, type Clock, type TableStore } from '@tandem/core';
import {
  CONFIGURATION_TABLE,
  insertConfigurationRow,
  readConfigurationRows,
} from './configuration-table.ts';
import {
  configurationInvalid,
  isBlank,
  type ResolvedSettings,
  resolveSettings,
  type SettingDefinitions,
  type SettingProblem,
} from './resolve-settings.ts';
import { environmentNameOf, type SettingDefinition } from './setting.ts';

export type SettingValue<D> = D extends SettingDefinition<infer T> ? T : never;

export interface ConfigurationOptions<D extends SettingDefinitions> {
  readonly store: TableStore;
  readonly definitions: D;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** How old the settings may get before a `get` has them read again. */
  readonly refreshMs: number;
  /** The environment; its names are those of `environmentNameOf`. */
  readonly overrides?: Readonly<Record<string, string | undefined>>;
  /**
   * A refresh in the background could not read the table, or found settings that are missing or
   * malformed and keep the values that they had.
   */
  readonly onRefreshFailed?: (error: AppError) => void;
}

export interface Configuration<D extends SettingDefinitions> {
  /**
   * Once, before anything else. Creates the table if need be. Throws `CONFIGURATION_INVALID` with
   * every setting that is missing or malformed, and the store's errors.
   */
  load(): Promise<void>;
  /** At once, from memory; starts a refresh in the background when what is there is too old. */
  get<N extends keyof D & string>(setting: N): SettingValue<D[N]>;
  /** Reads the table now. Throws the store's errors; other trouble goes to `onRefreshFailed`. */
  refresh(): Promise<void>;
}

export function createConfiguration<D extends SettingDefinitions>(
  options: ConfigurationOptions<D>,
): Configuration<D> {
  const { store, definitions, clock, refreshMs, onRefreshFailed } = options;
  const values = new Map<string, unknown>();
  let readAtMs: number | undefined;
  let reading: Promise<void> | undefined;

  const refresh = async (): Promise<void> => {
    // Whatever comes of it, the next attempt in the background waits as long.
    readAtMs = clock.nowMs();
    const resolved = await readSettings(options);
    for (const [setting, value] of resolved.values) values.set(setting, value);
    if (resolved.problems.length === 0) return;
    onRefreshFailed?.(configurationInvalid(definitions, resolved.problems));
  };

  const refreshInBackground = async (): Promise<void> => {
    try {
      await refresh();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      onRefreshFailed?.(error);
    } finally {
      reading = undefined;
    }
  };

  return {
    async load() {
      await store.createTable(CONFIGURATION_TABLE);
      const resolved = await readSettings(options);
      if (resolved.problems.length > 0) throw configurationInvalid(definitions, resolved.problems);
      readAtMs = clock.nowMs();
      for (const [setting, value] of resolved.values) values.set(setting, value);
    },
    get(setting) {
      assert(readAtMs !== undefined, 'a setting is read before the configuration was loaded');
      assert(values.has(setting), `"${setting}" is no setting`);
      if (clock.nowMs() - readAtMs >= refreshMs) reading ??= refreshInBackground();
      return values.get(setting) as SettingValue<D[typeof setting]>;
    },
    refresh,
  };
}

async function readSettings(
  options: ConfigurationOptions<SettingDefinitions>,
): Promise<ResolvedSettings> {
  const { store, definitions, overrides = {} } = options;
  const rows = await readConfigurationRows(store);
  return resolveSettings(definitions, [
    (name) => overrides[environmentNameOf(name)],
    (name) => rows.get(name),
  ]);
}

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
  const rows = await readConfigurationRows(store);
  const written: string[] = [];
  for (const [setting, text] of texts) {
    // Beside it, a row of the new name would win.
    const { formerName } = definitions[setting] ?? {};
    if (formerName !== undefined && !isBlank(rows.get(formerName) ?? '')) continue;
    if (await insertConfigurationRow(store, setting, text)) written.push(setting);
  }
  return written;
}
