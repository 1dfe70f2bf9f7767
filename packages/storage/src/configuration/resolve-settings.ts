import { assertNever, readPastedText, TerminalError } from '@tandem/core';
import { environmentNameOf, type SettingDefinition } from './setting.ts';

export type SettingDefinitions = Readonly<Record<string, SettingDefinition>>;

export interface SettingProblem {
  readonly setting: string;
  readonly problem: string;
}

export interface ResolvedSettings {
  /** Settings with a problem are not in it. */
  readonly values: ReadonlyMap<string, unknown>;
  readonly problems: readonly SettingProblem[];
}

/** The values of all settings, and everything that is wrong with them. An empty text is none. */
export function resolveSettings(
  definitions: SettingDefinitions,
  textOf: (setting: string) => string | undefined,
): ResolvedSettings {
  const values = new Map<string, unknown>();
  const problems: SettingProblem[] = [];
  const absent: [string, SettingDefinition][] = [];
  for (const [setting, definition] of Object.entries(definitions)) {
    const text = textOf(setting) ?? '';
    if (isBlank(text)) {
      absent.push([setting, definition]);
      continue;
    }
    const parsed = definition.parse(text);
    if (parsed.kind === 'value') values.set(setting, parsed.value);
    else problems.push({ setting, problem: quoted(text, definition) + parsed.problem });
  }
  for (const [setting, { presence }] of absent) {
    if (presence.kind === 'default') values.set(setting, presence.value);
    else values.set(setting, undefined);
  }
  // Only now is it known what the settings are on which others depend.
  for (const [setting, { presence }] of absent) {
    const problem = problemOfAbsence(presence, values);
    if (problem === undefined) continue;
    values.delete(setting);
    problems.push({ setting, problem });
  }
  const order = Object.keys(definitions);
  problems.sort((a, b) => order.indexOf(a.setting) - order.indexOf(b.setting));
  return { values, problems };
}

/** Also of what pasting leaves: blanks, quotes around nothing, a byte order mark. */
export function isBlank(text: string): boolean {
  const read = readPastedText(text);
  return read.kind === 'text' && read.text === '';
}

function problemOfAbsence(
  presence: SettingDefinition['presence'],
  values: ReadonlyMap<string, unknown>,
): string | undefined {
  if (presence.kind === 'required') return 'is missing';
  if (presence.kind !== 'required-when') return undefined;
  const { setting, is } = presence;
  return values.get(setting) === is ? `is missing (needed while ${setting} is ${is})` : undefined;
}

function quoted(text: string, { isSecret }: SettingDefinition): string {
  return isSecret ? '' : `${JSON.stringify(text)} `;
}

/** Returns a sentence with the setting, its variable, what is wrong, the rule and an example. */
export function describeSettingProblem(
  definitions: SettingDefinitions,
  { setting, problem }: SettingProblem,
): string {
  const definition = definitions[setting];
  const rule = definition === undefined ? '' : ` It must be ${definition.rule}.`;
  const example = definition === undefined ? '' : ` Example: ${definition.example}`;
  return `${setting} (or ${environmentNameOf(setting)}): ${problem}.${rule}${example}`;
}

/** One error that lists every problem with its rule and an example. */
export function configurationInvalid(
  definitions: SettingDefinitions,
  problems: readonly SettingProblem[],
): TerminalError {
  const lines = problems.map((problem) => `- ${describeSettingProblem(definitions, problem)}`);
  const count = `${problems.length} ${problems.length === 1 ? 'setting is' : 'settings are'} wrong`;
  const message = `${count} (table Configuration, or the variable that overrides it):\n${lines.join('\n')}`;
  return new TerminalError('CONFIGURATION_INVALID', message, { details: { problems } });
}

/** A table in Markdown of every setting, in the order of the definitions. */
export function describeSettings(definitions: Readonly<Record<string, SettingDefinition>>): string {
  const rows = Object.entries(definitions).map(([name, definition]) => [
    `\`${name}\`${definition.isSecret ? ' (secret)' : ''}`,
    `\`${environmentNameOf(name)}\``,
    definition.description,
    definition.rule.replaceAll('|', '\\|'),
    presence(definition),
    `\`${definition.example}\``,
  ]);
  return [
    ['Setting', 'Variable', 'Meaning', 'Value', 'Default', 'Example'],
    ['---', '---', '---', '---', '---', '---'],
    ...rows,
  ]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function presence({ presence: rule }: SettingDefinition): string {
  switch (rule.kind) {
    case 'required':
      return 'required';
    case 'required-when':
      return `required when \`${rule.setting}\` is \`${rule.is}\``;
    case 'default':
      return `\`${String(rule.value)}\``;
    case 'optional':
      return '';
    default:
      return assertNever(rule);
  }
}

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
