import { randomBytes } from 'node:crypto';
import type { QueueAccessRule } from '../queue/queue-properties.ts';
import type { AccessRight } from '../shared-access-signature.ts';
import { element } from './atom.ts';

/** The wire form of a queue's own keys. */

const RIGHTS: readonly string[] = ['Manage', 'Send', 'Listen'] satisfies AccessRight[];
const KEY_BYTES = 32;
const TYPE = 'SharedAccessAuthorizationRule';

type Fields = Readonly<Record<string, unknown>>;

const asFields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null ? (value as Fields) : {};

/** An element that may be there more than once is a list only when it is. */
const asList = (value: unknown): readonly unknown[] =>
  value === undefined ? [] : Array.isArray(value) ? value : [value];

const isRight = (value: unknown): value is AccessRight =>
  typeof value === 'string' && RIGHTS.includes(value);

const keyOf = (value: unknown): string =>
  typeof value === 'string' && value !== '' ? value : randomBytes(KEY_BYTES).toString('base64');

function readRule(value: unknown, nowMs: number): QueueAccessRule | undefined {
  const fields = asFields(value);
  const name = fields['KeyName'];
  const rights = asList(asFields(fields['Rights'])['AccessRights']);
  if (typeof name !== 'string' || name === '') return undefined;
  if (rights.length === 0 || !rights.every(isRight)) return undefined;
  return {
    name,
    rights,
    primaryKey: keyOf(fields['PrimaryKey']),
    secondaryKey: keyOf(fields['SecondaryKey']),
    createdAtMs: nowMs,
  };
}

/** The rules, with keys for those that name none; undefined when one has no name or no right. */
export function readAuthorizationRules(value: unknown): QueueAccessRule[] | undefined {
  const nowMs = Date.now();
  const rules = asList(asFields(value)['AuthorizationRule']).map((rule) => readRule(rule, nowMs));
  return rules.includes(undefined) ? undefined : (rules as QueueAccessRule[]);
}

function writeRule(rule: QueueAccessRule): string {
  const time = new Date(rule.createdAtMs).toISOString();
  const rights = rule.rights.map((right) => element('AccessRights', right)).join('');
  return [
    `<AuthorizationRule i:type="${TYPE}">`,
    element('ClaimType', 'SharedAccessKey'),
    element('ClaimValue', 'None'),
    `<Rights>${rights}</Rights>`,
    element('CreatedTime', time),
    element('ModifiedTime', time),
    element('KeyName', rule.name),
    element('PrimaryKey', rule.primaryKey),
    element('SecondaryKey', rule.secondaryKey),
    '</AuthorizationRule>',
  ].join('');
}

export function writeAuthorizationRules(rules: readonly QueueAccessRule[]): string {
  return `<AuthorizationRules>${rules.map(writeRule).join('')}</AuthorizationRules>`;
}
