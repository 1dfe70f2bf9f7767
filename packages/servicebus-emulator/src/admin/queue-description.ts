import { randomBytes } from 'node:crypto';
import type { QueueEntity } from '../namespace.ts';
import {
  QUEUE_STATUSES,
  type QueueAccessRule,
  type QueueProperties,
  shownSizeMegabytes,
} from '../queue/queue-properties.ts';
import type { AccessRight } from '../shared-access-signature.ts';
import { type AtomEntry, element } from './atom.ts';

/** The wire form of a queue's settings, and what of it the emulator can honour. */

const COUNTS = 'http://schemas.microsoft.com/netservices/2011/06/servicebus';

type Fields = Readonly<Record<string, string>>;

export type ReadResult =
  | { readonly kind: 'read'; readonly properties: Partial<QueueProperties> }
  | { readonly kind: 'refused'; readonly problem: string };

/** Settings that must have this value because the emulator has no other behaviour. */
const FIXED: Readonly<Record<string, (value: string) => boolean>> = {
  ForwardTo: (value) => value === '',
  ForwardDeadLetteredMessagesTo: (value) => value === '',
  MaxMessageSizeInKilobytes: (value) => value === '256',
};

const refused = (problem: string): ReadResult => ({ kind: 'refused', problem });

const READERS: Readonly<
  Record<string, (value: string) => readonly [keyof QueueProperties, unknown]>
> = {
  LockDuration: (value) => ['lockDurationMs', parseDuration(value)],
  DefaultMessageTimeToLive: (value) => ['defaultTimeToLiveMs', parseDuration(value)],
  MaxDeliveryCount: (value) => ['maxDeliveryCount', toNumber(value)],
  DeadLetteringOnMessageExpiration: (value) => ['deadLetterOnExpiration', toBoolean(value)],
  EnablePartitioning: (value) => ['enablePartitioning', toBoolean(value)],
  EnableBatchedOperations: (value) => ['enableBatchedOperations', toBoolean(value)],
  Status: (value) => ['status', QUEUE_STATUSES.find((status) => status === value)],
  AutoDeleteOnIdle: (value) => ['autoDeleteOnIdleMs', parseDuration(value)],
  EnableExpress: (value) => ['enableExpress', toBoolean(value)],
  UserMetadata: (value) => ['userMetadata', value],
  RequiresSession: (value) => ['requiresSession', toBoolean(value)],
  RequiresDuplicateDetection: (value) => ['requiresDuplicateDetection', toBoolean(value)],
  DuplicateDetectionHistoryTimeWindow: (value) => [
    'duplicateDetectionWindowMs',
    parseDuration(value),
  ],
};

function toNumber(value: string): number | undefined {
  return /^\d+$/.test(value) ? Number(value) : undefined;
}

function toBoolean(value: string): boolean | undefined {
  return value === 'true' ? true : value === 'false' ? false : undefined;
}

/** The service sells no other sizes to a namespace that is shared. */
const SIZES_MEGABYTES: readonly number[] = [1_024, 2_048, 3_072, 4_096, 5_120];

/** Returns the size that is set, also where a client gives back what it was shown of a partitioned queue. */
function readSize(text: string, isPartitioned: boolean): number | undefined {
  const given = toNumber(text);
  return SIZES_MEGABYTES.find(
    (maxSizeMegabytes) =>
      given === maxSizeMegabytes ||
      (isPartitioned &&
        given === shownSizeMegabytes({ maxSizeMegabytes, enablePartitioning: true })),
  );
}

/** Reads the settings that are given; the others keep their value or default. */
export function readQueueDescription(
  fields: Fields,
  nested: Readonly<Record<string, unknown>> = {},
): ReadResult {
  const properties: Partial<Record<keyof QueueProperties, unknown>> = {};
  for (const [name, value] of Object.entries(fields)) {
    const isSupported = FIXED[name];
    if (isSupported !== undefined && !isSupported(value)) {
      return refused(`The emulator does not support ${name} '${value}'. SubCode=40000.`);
    }
    const read = READERS[name]?.(value);
    if (read === undefined) continue;
    if (read[1] === undefined) return refused(`${name} cannot be '${value}'. SubCode=40000.`);
    properties[read[0]] = read[1];
  }
  const size = fields['MaxSizeInMegabytes'];
  if (size !== undefined) {
    properties.maxSizeMegabytes = readSize(size, properties.enablePartitioning === true);
    if (properties.maxSizeMegabytes === undefined) {
      return refused(
        `MaxSizeInMegabytes must be one of ${SIZES_MEGABYTES.join(', ')}, got '${size}'. SubCode=40000.`,
      );
    }
  }
  const rules = nested['AuthorizationRules'];
  if (rules !== undefined) {
    const read = readAuthorizationRules(rules);
    if (read === undefined) {
      return refused('Each AuthorizationRule needs a KeyName and AccessRights. SubCode=40000.');
    }
    properties.authorizationRules = read;
  }
  return { kind: 'read', properties: properties as Partial<QueueProperties> };
}

function writeCounts({ main, deadLetters }: QueueEntity): string {
  const { active, deferred, scheduled } = main.counters();
  const dead = deadLetters.counters();
  const counts = {
    ActiveMessageCount: active + deferred,
    DeadLetterMessageCount: dead.active + dead.deferred,
    ScheduledMessageCount: scheduled,
    TransferMessageCount: 0,
    TransferDeadLetterMessageCount: 0,
  };
  const inner = Object.entries(counts).map(([name, value]) => element(`d2p1:${name}`, value));
  return `<CountDetails xmlns:d2p1="${COUNTS}">${inner.join('')}</CountDetails>`;
}

function writeSettings({ stored: { properties } }: QueueEntity): string {
  return [
    element('LockDuration', formatDuration(properties.lockDurationMs)),
    element('MaxSizeInMegabytes', shownSizeMegabytes(properties)),
    element('RequiresDuplicateDetection', properties.requiresDuplicateDetection),
    element('RequiresSession', properties.requiresSession),
    element('DefaultMessageTimeToLive', formatDuration(properties.defaultTimeToLiveMs)),
    element('DeadLetteringOnMessageExpiration', properties.deadLetterOnExpiration),
    element(
      'DuplicateDetectionHistoryTimeWindow',
      formatDuration(properties.duplicateDetectionWindowMs),
    ),
    element('MaxDeliveryCount', properties.maxDeliveryCount),
    element('EnableBatchedOperations', properties.enableBatchedOperations),
  ].join('');
}

function writeState(entity: QueueEntity): string {
  const { stored, main, deadLetters } = entity;
  const { properties, createdAtMs, updatedAtMs } = stored;
  const counters = [main.counters(), deadLetters.counters()];
  const total = counters.reduce((sum, c) => sum + c.active + c.deferred + c.scheduled, 0);
  const time = (ms: number) => new Date(ms).toISOString();
  return [
    element(
      'SizeInBytes',
      counters.reduce((sum, c) => sum + c.sizeBytes, 0),
    ),
    element('MessageCount', total),
    writeAuthorizationRules(properties.authorizationRules),
    element('Status', properties.status),
    properties.userMetadata === '' ? '' : element('UserMetadata', properties.userMetadata),
    element('CreatedAt', time(createdAtMs)),
    element('UpdatedAt', time(updatedAtMs)),
    element('AccessedAt', time(Math.max(updatedAtMs, main.lastUsedAtMs()))),
    writeCounts(entity),
    element('AutoDeleteOnIdle', formatDuration(properties.autoDeleteOnIdleMs)),
    element('EnablePartitioning', properties.enablePartitioning),
    element('EntityAvailabilityStatus', 'Available'),
    element('EnableExpress', properties.enableExpress),
    element('MaxMessageSizeInKilobytes', 256),
  ].join('');
}

/** The queue as an Atom entry, settings and runtime state together as in the service. */
export function toEntry(entity: QueueEntity, baseUrl: string): AtomEntry {
  const { name, updatedAtMs } = entity.stored;
  return {
    id: `${baseUrl}/${name}`,
    title: name,
    updatedAtMs,
    content: { name: 'QueueDescription', inner: writeSettings(entity) + writeState(entity) },
  };
}

/** Durations as the service writes them: ISO 8601 with days at most. */

const MS_PER = { day: 86_400_000, hour: 3_600_000, minute: 60_000, second: 1_000 };
const PATTERN = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
/** The greatest time span of the service, which stands for "never". */
const NEVER = 'P10675199DT2H48M5.4775807S';
const NEVER_MS = 922_337_203_685_477;

/** Milliseconds; Infinity for the greatest time span; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = PATTERN.exec(text);
  if (match === null || text === 'P' || text.endsWith('T')) return undefined;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  const ms =
    (days ?? 0) * MS_PER.day +
    (hours ?? 0) * MS_PER.hour +
    (minutes ?? 0) * MS_PER.minute +
    Math.round((seconds ?? 0) * MS_PER.second);
  return ms >= NEVER_MS ? Number.POSITIVE_INFINITY : ms;
}

export function formatDuration(ms: number): string {
  if (!Number.isFinite(ms) || ms >= NEVER_MS) return NEVER;
  const days = Math.floor(ms / MS_PER.day);
  const hours = Math.floor((ms % MS_PER.day) / MS_PER.hour);
  const minutes = Math.floor((ms % MS_PER.hour) / MS_PER.minute);
  const seconds = (ms % MS_PER.minute) / MS_PER.second;
  const time = [
    hours === 0 ? '' : `${hours}H`,
    minutes === 0 ? '' : `${minutes}M`,
    seconds === 0 ? '' : `${seconds}S`,
  ].join('');
  if (days === 0 && time === '') return 'PT0S';
  return `P${days === 0 ? '' : `${days}D`}${time === '' ? '' : `T${time}`}`;
}

/** The wire form of a queue's own keys. */

const RIGHTS: readonly string[] = ['Manage', 'Send', 'Listen'] satisfies AccessRight[];
const KEY_BYTES = 32;
const TYPE = 'SharedAccessAuthorizationRule';

type RuleFields = Readonly<Record<string, unknown>>;

const asFields = (value: unknown): RuleFields =>
  typeof value === 'object' && value !== null ? (value as RuleFields) : {};

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
function readAuthorizationRules(value: unknown): QueueAccessRule[] | undefined {
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

function writeAuthorizationRules(rules: readonly QueueAccessRule[]): string {
  return `<AuthorizationRules>${rules.map(writeRule).join('')}</AuthorizationRules>`;
}
