import {
  BUCKET_COUNT_DEFAULT,
  BUCKET_COUNT_MAX,
  NEWEST_WIRE_VERSION,
  partOfConnectionString,
  ROWS_BUCKET_COUNT_DEFAULT,
  SERVICE_BUS_PARTS,
  SOURCE_NAME,
  STORAGE_PARTS,
  tidyConnectionString,
  WIRE_VERSION,
} from '@tandem/core';
import { type Static, Type } from 'typebox';
import { ROW_MEMORY_BYTES_DEFAULT } from '../tables/row-memory.ts';
import type { Configuration } from './create-configuration.ts';
import {
  choice,
  createSecret,
  durationMs,
  integer,
  json,
  malformed,
  type Parsed,
  type Secret,
  secret,
  text,
  valueOf,
} from './setting.ts';

const MIB = 1024 * 1024;
const ROW_MEMORY_MIB_MAX = 64 * 1024;
const ARCHIVE_MIB_MAX = 500 * 1024 * 1024;
const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const DAY_MS = 24 * 60 * MINUTE_MS;
const REGION = /^(?!old$)[a-z][a-z0-9]{0,30}$/;
const FORMER_REGIONS =
  /^(?!old(?:,|$))[a-z][a-z0-9]{0,30}(?:,(?!old(?:,|$))[a-z][a-z0-9]{0,30}){0,14}$/;
const QUEUE = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,258}[A-Za-z0-9])?$/;
const SERVICE_BUS = /^(?:Endpoint=sb:\/\/\S+|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)$/;
const SERVICE_BUS_RULE =
  'a connection string (Endpoint=sb://…) or the host name of a namespace, for the identity of the ' +
  'environment';
const SERVICE_BUS_EXAMPLE = 'tandem-east.servicebus.windows.net';
const QUEUE_RULE = 'the name of a queue';
const REGION_RULE =
  'a region: lower-case letters and digits, a letter first, at most 31, and not "old"';
const PEERS_MAX = 32;

/**
 * Refuses here what the library would refuse with a raw error at the first use; repeats nothing of
 * the text.
 */
function readServiceBus(given: string): Parsed<string> {
  if (!CONNECTION_STRING.test(given)) return valueOf(given);
  const text = tidyConnectionString(given, SERVICE_BUS_PARTS);
  const has = (name: string): boolean => (partOfConnectionString(text, name) ?? '') !== '';
  const isSigned = has('SharedAccessSignature') || has('SharedAccessKey');
  return isSigned
    ? valueOf(text)
    : malformed('is a connection string without SharedAccessKey or SharedAccessSignature');
}

const CONNECTION_STRING = /(?:^|;)\s*Endpoint\s*=/i;

const PeersSchema = Type.Array(
  Type.Object(
    {
      region: Type.String({ pattern: REGION.source }),
      connection: Type.String(),
      queue: Type.Optional(Type.String({ pattern: QUEUE.source })),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: PEERS_MAX },
);

/** Names the first peer that cannot be used by its place, for its connection may hold a key. */
function findPeerProblem(peers: Static<typeof PeersSchema>): string | undefined {
  for (const [index, { connection }] of peers.entries()) {
    const read = readServiceBus(connection);
    if (read.kind === 'malformed') return `/${index}/connection ${read.problem}`;
    if (!SERVICE_BUS.test(read.value)) return `/${index}/connection must be ${SERVICE_BUS_RULE}`;
  }
  return undefined;
}

const SOURCES_MAX = 32;
const SourcesSchema = Type.Array(
  Type.Object(
    { name: Type.String({ pattern: SOURCE_NAME.source }), connection: Type.String() },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: SOURCES_MAX },
);
const ACCOUNT_URL = /^https?:\/\/[^?\s]+$/;
const SIGNED_URL = /^(https?:\/\/[^?\s]+)\?(\S*\bsig=\S*)$/i;
const ACCOUNT_RULE =
  'a connection string of a storage account, the address of its tables (https://…), for the identity of the environment, or ' +
  'that address with a shared access signature';

/**
 * Returns the connection string of an address with a shared access signature behind it, as the portal shows one; undefined for
 * every other text.
 */
export function connectionOfSignedUrl(text: string): string | undefined {
  const [, endpoint, signature] = SIGNED_URL.exec(text) ?? [];
  return endpoint && `TableEndpoint=${endpoint};SharedAccessSignature=${signature}`;
}

/** Returns what a store is opened with; repeats nothing of the text. */
function readAccount(given: string): Parsed<string> {
  if (ACCOUNT_URL.test(given)) return valueOf(given);
  const signed = connectionOfSignedUrl(given);
  if (signed !== undefined) return valueOf(signed);
  const text = tidyConnectionString(given, STORAGE_PARTS);
  const has = (name: string): boolean => (partOfConnectionString(text, name) ?? '') !== '';
  const isSigned = has('AccountKey') || has('SharedAccessSignature');
  return isSigned || has('UseDevelopmentStorage')
    ? valueOf(text)
    : malformed(`must be ${ACCOUNT_RULE}`);
}

/** Names the first source that cannot be used by its place, for its connection may hold a key. */
function findSourceProblem(sources: Static<typeof SourcesSchema>): string | undefined {
  for (const [index, { name, connection }] of sources.entries()) {
    if (sources.findIndex((one) => one.name === name) < index)
      return `/${index}/name is there twice`;
    const read = readAccount(connection);
    if (read.kind === 'malformed') return `/${index}/connection ${read.problem}`;
  }
  return undefined;
}

/** Returns the connections of the sources by their names. */
function readSources(sources: Static<typeof SourcesSchema>): ReadonlyMap<string, Secret> {
  return new Map(
    sources.flatMap(({ name, connection }) => {
      const read = readAccount(connection);
      return read.kind === 'value' ? [[name, createSecret(read.value)] as const] : [];
    }),
  );
}

const COPY_ROWS_PER_SECOND_DEFAULT = 2_000;
const COPY_ROWS_PER_SECOND_MAX = 100_000;

/** The settings of Tandem, in the table `Configuration` of each region. */
export const tandemSettings = {
  'Customer.DataAccess': choice({
    description: 'Whether writes go to other regions, stay in this one, or are kept in memory.',
    choices: ['multi-region', 'single-region', 'memory'],
    default: 'multi-region',
  }),
  'Customer.Queue': text({
    description: 'The queue of customer changes, in the namespace of every region.',
    pattern: QUEUE,
    rule: QUEUE_RULE,
    default: 'customer',
  }),
  'Tables.BucketCount': integer({
    formerName: 'Customer.BucketCount',
    description:
      'Partitions of the table of each entity kind, one for each 1,000 writes a second that are expected at ' +
      'peak. Recorded at the first start, then fixed.',
    min: 1,
    max: BUCKET_COUNT_MAX,
    default: BUCKET_COUNT_DEFAULT,
  }),
  'Rows.BucketCount': integer({
    description:
      'Partitions of the table of all rows of the tables of clients, one for each 1,000 reads and writes a second that ' +
      'are expected at peak. Recorded at the first start, then fixed.',
    min: 1,
    max: BUCKET_COUNT_MAX,
    default: ROWS_BUCKET_COUNT_DEFAULT,
  }),
  'Rows2.BucketCount': integer({
    description:
      'Partitions of the second table of rows, to which tables of clients can be moved (tandem tables move): one that has ' +
      'outgrown those of the first. The region has none without. Recorded at the first start with it, then fixed.',
    min: 1,
    max: BUCKET_COUNT_MAX,
  }),
  'Tables.DeletedKeepMs': durationMs({
    takesEffect: 'now',
    description:
      'How long the rows of a deleted table are kept: until then the table can be restored.',
    min: MINUTE_MS,
    max: 3_650 * DAY_MS,
    default: 7 * DAY_MS,
  }),
  'Tables.Sources': json({
    takesEffect: 'now',
    description:
      'The accounts whose tables are taken over, by the names that tandem tables adopt has for them: the same names in ' +
      'every region, which all read the old rows until they have their own. The account of a connection needs only to be ' +
      'read, but at the home region of a table that is still forwarded, where it is written too.',
    schema: SourcesSchema,
    rule: `a JSON array of {name, connection}: a name of small letters, digits and "-", and ${ACCOUNT_RULE}`,
    example: '[{"name":"shop","connection":"https://shop.table.core.windows.net"}]',
    isSecret: true,
    findProblem: findSourceProblem,
    read: readSources,
  }),
  'Tables.CopyRowsPerSecond': integer({
    takesEffect: 'now',
    description:
      'How many rows in a second, at most, the home region of a table that is taken over copies, and who mirrors a table reads of ' +
      'both; each for all tables together.',
    min: 1,
    max: COPY_ROWS_PER_SECOND_MAX,
    default: COPY_ROWS_PER_SECOND_DEFAULT,
  }),
  'Api.Preconditions': choice({
    takesEffect: 'now',
    formerName: 'Customer.Preconditions',
    description:
      'Whether a client that replaces, changes or deletes a customer must name the version that it ' +
      'has seen (else 428).',
    choices: ['optional', 'required'],
    default: 'optional',
  }),
  ServiceBusConnection: secret({
    description: "This region's namespace: the replicator listens there.",
    read: readServiceBus,
    pattern: SERVICE_BUS,
    rule: SERVICE_BUS_RULE,
    example: SERVICE_BUS_EXAMPLE,
    required: { when: 'Customer.DataAccess', is: 'multi-region' },
  }),
  RedundancyServiceBusConnection: secret({
    description: "The other region's namespace, when there are two: changes are sent there.",
    read: readServiceBus,
    pattern: SERVICE_BUS,
    rule: SERVICE_BUS_RULE,
    example: 'tandem-west.servicebus.windows.net',
  }),
  'Peer.Region': text({
    description: 'The other region, when there are two.',
    pattern: REGION,
    rule: REGION_RULE,
    example: 'west',
  }),
  Peers: json({
    description: 'The other regions, when there are more than two; replaces the two-region form.',
    schema: PeersSchema,
    rule: 'a JSON array of {region, connection, queue?}',
    example: '[{"region":"west","connection":"tandem-west.servicebus.windows.net"}]',
    isSecret: true,
    findProblem: findPeerProblem,
    read: (peers) =>
      peers.map((peer) => ({
        ...peer,
        connection: createSecret(tidyConnectionString(peer.connection, SERVICE_BUS_PARTS)),
      })),
  }),
  'Regions.Former': text({
    description:
      'Regions that wrote once and do no longer, where this region never had them among its peers: a change ' +
      'that names any other region is refused.',
    pattern: FORMER_REGIONS,
    rule: 'names of regions with commas between them, at most 15',
    example: 'north,south',
  }),
  'Tombstone.AgeMs': durationMs({
    description: 'How long a deleted row is kept; longer than any message can be under way.',
    min: DAY_MS,
    max: 3_650 * DAY_MS,
    default: 90 * DAY_MS,
  }),
  'Archive.KeepMs': durationMs({
    takesEffect: 'now',
    description:
      'How long the archive keeps every change: a replay, and a history, go back so far. What is older is trimmed ' +
      'once every peer has it, but for what a replay to a younger time needs. For ever where it is not set.',
    min: DAY_MS,
    max: 3_650 * DAY_MS,
  }),
  'Archive.KeepMib': integer({
    takesEffect: 'now',
    description:
      'What the changes of an entity kind may take in the archive, in MiB: beyond that the oldest are trimmed although ' +
      'they are younger than Archive.KeepMs, never those of the time that Retention.PromiseMs names. Any size where ' +
      'it is not set.',
    min: 1,
    max: ARCHIVE_MIB_MAX,
  }),
  'Conflicts.KeepMs': durationMs({
    takesEffect: 'now',
    description:
      'How long a recorded conflict is kept, with the value that lost: it can be restored until then. What is older is ' +
      'trimmed once every peer has been told of it. For ever where it is not set.',
    min: DAY_MS,
    max: 3_650 * DAY_MS,
  }),
  'Conflicts.KeepMib': integer({
    takesEffect: 'now',
    description:
      'What the conflicts of an entity kind may take, in MiB: beyond that the oldest are trimmed although they are younger ' +
      'than Conflicts.KeepMs, never those of the time that Retention.PromiseMs names. Any size where it is not set.',
    min: 1,
    max: ARCHIVE_MIB_MAX,
  }),
  'Retention.PromiseMs': durationMs({
    takesEffect: 'now',
    description: 'How much of the past is kept whole whatever its size.',
    min: DAY_MS,
    max: 3_650 * DAY_MS,
    default: 7 * DAY_MS,
  }),
  'Rows.MemoryMib': integer({
    description:
      'What a process that writes may take for remembering the rows of a kind, in MiB: a write to a row that it does not ' +
      'remember reads it first. A million customers take about 170.',
    min: 1,
    max: ROW_MEMORY_MIB_MAX,
    default: ROW_MEMORY_BYTES_DEFAULT / MIB,
  }),
  'Sweep.IntervalMs': durationMs({
    takesEffect: 'now',
    description:
      'How often the outbox is searched for what a stopped process left, and peers get a watermark.',
    min: 10,
    max: 60 * MINUTE_MS,
    default: SECOND_MS,
  }),
  'Sweep.GraceMs': durationMs({
    description: 'How old an outbox row must be before the sweep takes it from its writer.',
    min: 0,
    max: 60 * MINUTE_MS,
    default: 2 * SECOND_MS,
  }),
  'Messages.WireVersion': integer({
    description:
      'The newest wire version that every region reads: 2 lets change sets share a message, 3 deflates ' +
      'them besides, in tables and archives too, 4 lets a write own the whole row where the merge policy ' +
      'is `row`, and a transaction be of several entities, 5 of a hundred instead of 99, 6 lets a table be taken over, ' +
      '7 lets a row of an open table say which request wrote it, so that a repeated one is known again, ' +
      '8 lets an entity, or a transaction, take more than a message holds, 9 lets a name of a property have combining ' +
      'marks. ' +
      'Raise it when every process of every region is of a build that knows it; from 4 there is no way back.',
    min: WIRE_VERSION,
    max: NEWEST_WIRE_VERSION,
    default: WIRE_VERSION,
  }),
  'Readiness.LagMsMax': durationMs({
    description: 'The oldest passed watermark with which a region counts as caught up.',
    min: 100,
    max: 24 * 60 * MINUTE_MS,
    default: 15 * SECOND_MS,
  }),
  'Readiness.WaitMsMax': durationMs({
    description: 'After which time a region takes traffic although it is not caught up.',
    min: 0,
    max: 7 * DAY_MS,
    default: 10 * MINUTE_MS,
  }),
  'Readiness.HeartbeatMsMax': durationMs({
    description: 'How old the last sign of life of the replicator may be.',
    min: 100,
    max: 60 * MINUTE_MS,
    default: 15 * SECOND_MS,
  }),
  'Receipt.SkewMsMax': durationMs({
    takesEffect: 'now',
    description:
      'How far apart the clocks of processes may be: a receipt waits this much longer before it ' +
      'says that a peer has applied a write.',
    min: 0,
    max: MINUTE_MS,
    default: SECOND_MS,
  }),
  'Clock.DriftMsMax': durationMs({
    description: 'A received stamp further ahead of the wall clock is never adopted.',
    min: 0,
    max: DAY_MS,
    default: MINUTE_MS,
  }),
} as const;

export type TandemConfiguration = Configuration<typeof tandemSettings>;
