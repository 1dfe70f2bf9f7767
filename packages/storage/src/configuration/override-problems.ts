import { environmentNameOf } from './environment-name.ts';
import { isBlank, type SettingDefinitions } from './resolve-settings.ts';

/**
 * A sentence for each variable that overrides a setting and cannot be used. They are known before any
 * table is read, so a start need not wait for one to refuse them. No value is repeated.
 */
export function findOverrideProblems(
  definitions: SettingDefinitions,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  return Object.entries(definitions).flatMap(([setting, definition]) => {
    const { rule, example } = definition;
    const variable = environmentNameOf(setting);
    const text = environment[variable] ?? '';
    if (isBlank(text)) return [];
    const parsed = definition.parse(text);
    if (parsed.kind === 'value') return [];
    return [
      `${variable} cannot be used: it ${parsed.problem}, and overrides the setting ${setting}, which must be ` +
        `${rule}, for example ${variable}=${example}.`,
    ];
  });
}
