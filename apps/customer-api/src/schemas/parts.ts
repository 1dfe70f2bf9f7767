import { type TSchemaOptions, Type } from 'typebox';
import { CURSOR_LENGTH_MAX, PAGE_LIMIT_DEFAULT } from '../http/limits.ts';
import { PAGE_LIMIT_MAX } from '@tandem/storage';

export const CUSTOMER_ID = {
  pattern: '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$',
  examples: ['4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88'],
};

export const REFERENCE_LENGTH_MAX = 1_024;

export const CustomerParams = Type.Object({
  customerId: Type.String({ ...CUSTOMER_ID, description: 'A GUID, in any case.' }),
});

export const ChangedSince = {
  changedSince: Type.Optional(
    Type.String({
      format: 'date-time',
      description:
        'Only customers whose newest change was stamped at this time or later, by the clock of the ' +
        'region that made it; deleted ones are not listed. What another region changed arrives with ' +
        'a lag, so ask from a little before the time of the last look. There is no index: the whole ' +
        'table is read, 10,000 rows a page at most, so pages may be short, even empty, and lead on.',
      examples: ['2026-11-22T10:00:00Z'],
    }),
  ),
};

export const PageQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: PAGE_LIMIT_MAX,
        default: PAGE_LIMIT_DEFAULT,
        description: 'Customers on a page.',
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: CURSOR_LENGTH_MAX,
        description: 'The nextCursor of the page before.',
      }),
    ),
    ...ChangedSince,
  },
  { additionalProperties: false },
);

const PREFERENCE_LENGTH_MAX = 512;
/** A region takes part with at most 67 characters, and there are 48 of them at most. */
export const VERSION_LENGTH_MAX = 4_096;

const LEAST_VERSION = {
  'x-tandem-min-version': Type.Optional(
    Type.String({
      maxLength: VERSION_LENGTH_MAX,
      description:
        'The least version to show, or to write on: an x-tandem-version that any region gave for ' +
        'this customer. Waits for it, 2 s or as `Prefer: wait` says, then answers 503.',
    }),
  ),
};

export const PREFER = {
  prefer: Type.Optional(
    Type.String({
      maxLength: PREFERENCE_LENGTH_MAX,
      description:
        '`wait=5`: seconds to wait at most, 10 or fewer. On a write `ack=queued` as well: answer ' +
        'once the queue of every other region that can be reached has it, too, or when the wait is over; ' +
        '`ack=queued; peers=any`: once the queue of any one has it.',
      examples: ['ack=queued, wait=5', 'ack=queued; peers=any'],
    }),
  ),
};

export const IDEMPOTENCY_KEY = { pattern: '^[\\x21-\\x7e]+$', maxLength: 255 } as const;

export const CreateHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      ...IDEMPOTENCY_KEY,
      description:
        'Of this one creation and no other, for example a UUID; quotation marks around it count ' +
        'for nothing. The request may then be repeated in any region, and makes one customer: a ' +
        'repetition is answered with the customer as it is now.',
      examples: ['"8e03978e-40d5-43dd-bc93-6894a57f9324"'],
    }),
  ),
  ...PREFER,
});

export const VersionHeaders = Type.Object({ ...LEAST_VERSION, ...PREFER });

export const ReadHeaders = Type.Object({
  ...LEAST_VERSION,
  ...PREFER,
  'if-match': Type.Optional(
    Type.String({ description: 'Answer 412 unless the version is one of these.' }),
  ),
  'if-none-match': Type.Optional(
    Type.String({ description: 'Answer 304 when the version is one of these.' }),
  ),
});

export const WriteHeaders = Type.Object({
  ...LEAST_VERSION,
  ...PREFER,
  'if-match': Type.Optional(
    Type.String({ description: 'Write only when the version is one of these; * for any.' }),
  ),
  'if-none-match': Type.Optional(
    Type.String({ description: 'Takes only *: write only when there is no such customer.' }),
  ),
});

/** On every answer. */
export const COMMON_HEADERS = {
  'x-tandem-region': { type: 'string', description: 'The region that answered.' },
  'x-request-id': {
    type: 'string',
    description: 'The id of this request alone, which its log has.',
  },
} as const;

export const ETAG_HEADER = {
  etag: { type: 'string', description: 'The version of the customer: the same in every region.' },
} as const;

export const VERSION_HEADER = {
  'x-tandem-version': {
    type: 'string',
    description: 'What x-tandem-min-version takes: the version shown, or made by the write.',
  },
} as const;

export const UNKNOWN_LEVEL_HEADER = {
  'x-tandem-preference-unknown': {
    type: 'string',
    description:
      'What `Prefer: ack=` or its `peers=` asked for and that there is none of: it was `local`, or `all`.',
  },
} as const;

export const WRITE_HEADERS = {
  ...UNKNOWN_LEVEL_HEADER,
  ...VERSION_HEADER,
  'x-tandem-acknowledged': {
    type: 'string',
    enum: ['local', 'queued'],
    description:
      'The level that the write has reached. `queued`: the queue of every other region that can be ' +
      'reached has it, or of any one where `peers=any` asked for no more.',
  },
  'x-tandem-queued-peers': {
    type: 'string',
    description:
      'The regions whose queues have the write, where `ack=queued` was asked for; also when fewer than that.',
  },
  'x-tandem-receipt': {
    type: 'string',
    description: 'Ask with it later whether every region has applied the write.',
  },
  'preference-applied': { type: 'string', description: '`ack=queued` when that was reached.' },
} as const;

export const REPLAYED_HEADER = {
  'idempotency-replayed': {
    type: 'string',
    enum: ['true'],
    description: 'The Idempotency-Key had created the customer before.',
  },
} as const;

export const LOCATION_HEADER = {
  location: { type: 'string', description: 'The path of the customer.' },
} as const;

export const LINK_HEADER = {
  link: { type: 'string', description: 'The next page, as rel="next". Absent on the last page.' },
} as const;

export interface ResponseOptions {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
}

/** A response of a route, as the OpenAPI document shows it. */
export interface RouteResponse extends TSchemaOptions {
  readonly headers: Readonly<Record<string, object>>;
}

/** An answer in JSON, of a schema that the app knows by its id. */
export function jsonResponse(schemaId: string, options: ResponseOptions): RouteResponse {
  return {
    description: options.description,
    headers: { ...COMMON_HEADERS, ...options.headers },
    content: { 'application/json': { schema: { $ref: `${schemaId}#` } } },
  };
}

export const NDJSON = 'application/x-ndjson';

/** An answer in lines of JSON, each of a schema that the app knows by its id. */
export function ndjsonResponse(schemaId: string, options: ResponseOptions): RouteResponse {
  return {
    description: `${options.description} Each line is one \`${schemaId}\`.`,
    headers: { ...COMMON_HEADERS, ...options.headers },
    content: { [NDJSON]: { schema: { $ref: `${schemaId}#` } } },
  };
}

export function emptyResponse(options: ResponseOptions): RouteResponse {
  return {
    type: 'null',
    description: options.description,
    headers: { ...COMMON_HEADERS, ...options.headers },
  };
}
