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

/** Where texts of settings stand, by the names that they have there. */
export type SettingTexts = (name: string) => string | undefined;

/**
 * Reads the values of all settings, and finds everything that is wrong with them. What stands in an earlier
 * place wins over what stands in a later one, and in one place a name over a former one. An empty text is none.
 */
export function resolveSettings(
  definitions: SettingDefinitions,
  places: readonly SettingTexts[],
): ResolvedSettings {
  const values = new Map<string, unknown>();
  const problems: SettingProblem[] = [];
  const absent: [string, SettingDefinition][] = [];
  for (const [setting, definition] of Object.entries(definitions)) {
    const found = findText(setting, definition, places);
    if (found === undefined) {
      absent.push([setting, definition]);
      continue;
    }
    const { name, text } = found;
    const parsed = definition.parse(text);
    if (parsed.kind === 'value') values.set(setting, parsed.value);
    else {
      const where = name === setting ? '' : `under its old name ${name}, `;
      problems.push({ setting, problem: where + quoted(text, definition) + parsed.problem });
    }
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

/** Returns all names of a setting: its own, and the one that it had. */
export function namesOf(setting: string, definition: SettingDefinition): readonly string[] {
  const { formerName } = definition;
  return formerName === undefined ? [setting] : [setting, formerName];
}

/** Finds the text that counts, and the name under which it stands. */
function findText(
  setting: string,
  definition: SettingDefinition,
  places: readonly SettingTexts[],
): { readonly name: string; readonly text: string } | undefined {
  for (const textOf of places) {
    for (const name of namesOf(setting, definition)) {
      const text = textOf(name) ?? '';
      if (!isBlank(text)) return { name, text };
    }
  }
  return undefined;
}

/** A setting whose former name still stands in a table. */
export interface OldSettingName {
  readonly formerName: string;
  readonly setting: string;
  /** Whether it counts; else the new name stands there, too, and wins. */
  readonly counts: boolean;
}

/** Finds the former names under which something stands. */
export function findOldNames(
  definitions: SettingDefinitions,
  textOf: SettingTexts,
): readonly OldSettingName[] {
  return Object.entries(definitions).flatMap(([setting, { formerName }]) => {
    if (formerName === undefined || isBlank(textOf(formerName) ?? '')) return [];
    return [{ formerName, setting, counts: isBlank(textOf(setting) ?? '') }];
  });
}

/**
 * Returns the name that a setting has today, be it given by this or by its former one; undefined
 * for none.
 */
export function currentNameOf(definitions: SettingDefinitions, name: string): string | undefined {
  if (Object.hasOwn(definitions, name)) return name;
  return Object.keys(definitions).find((setting) => definitions[setting]?.formerName === name);
}

/**
 * Tells whether nothing is set, also where pasting left blanks, quotes around nothing or a byte
 * order mark.
 */
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

/** Makes one error that lists every problem with its rule and an example. */
export function configurationInvalid(
  definitions: SettingDefinitions,
  problems: readonly SettingProblem[],
): TerminalError {
  const lines = problems.map((problem) => `- ${describeSettingProblem(definitions, problem)}`);
  const count = `${problems.length} ${problems.length === 1 ? 'setting is' : 'settings are'} wrong`;
  const message = `${count} (table Configuration, or the variable that overrides it):\n${lines.join('\n')}`;
  return new TerminalError('CONFIGURATION_INVALID', message, { details: { problems } });
}

/** Returns a table in Markdown of every setting, in the order of the definitions. */
export function describeSettings(definitions: Readonly<Record<string, SettingDefinition>>): string {
  const rows = Object.entries(definitions).map(([name, definition]) => [
    `\`${name}\`${definition.isSecret ? ' (secret)' : ''}`,
    `\`${environmentNameOf(name)}\``,
    definition.description + formerNote(definition),
    definition.rule.replaceAll('|', '\\|'),
    presence(definition),
    definition.takesEffect === 'now' ? 'at once' : 'at a restart',
    `\`${definition.example}\``,
  ]);
  return [
    ['Setting', 'Variable', 'Meaning', 'Value', 'Default', 'Takes effect', 'Example'],
    ['---', '---', '---', '---', '---', '---', '---'],
    ...rows,
  ]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function formerNote({ formerName }: SettingDefinition): string {
  if (formerName === undefined) return '';
  return ` Its old name \`${formerName}\` (\`${environmentNameOf(formerName)}\`) is still read.`;
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

/** Returns the texts that variables of an environment have for settings, by the names of today; see docs/adr/0049. */
export function readOverrides(
  definitions: SettingDefinitions,
  environment: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, string> {
  const place: SettingTexts = (name) => environment[environmentNameOf(name)];
  return new Map(
    Object.entries(definitions).flatMap(([setting, definition]) => {
      const found = findText(setting, definition, [place]);
      return found === undefined ? [] : [[setting, found.text] as const];
    }),
  );
}

/**
 * Returns a sentence for each variable that overrides a setting and cannot be used. They are known before any
 * table is read, so a start need not wait for one to refuse them. Repeats no value.
 */
export function findOverrideProblems(
  definitions: SettingDefinitions,
  environment: Readonly<Record<string, string | undefined>>,
): string[] {
  return Object.entries(definitions).flatMap(([setting, definition]) => {
    const { rule, example } = definition;
    const [variable] = namesOf(setting, definition)
      .map(environmentNameOf)
      .filter((name) => !isBlank(environment[name] ?? ''));
    if (variable === undefined) return [];
    const parsed = definition.parse(environment[variable] ?? '');
    if (parsed.kind === 'value') return [];
    return [
      `${variable} cannot be used: it ${parsed.problem}, and overrides the setting ${setting}, which must be ` +
        `${rule}, for example ${variable}=${example}.`,
    ];
  });
}
