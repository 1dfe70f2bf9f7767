import { assertNever } from '@tandem/core';
import { environmentNameOf } from './environment-name.ts';
import type { SettingDefinition } from './setting.ts';

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
