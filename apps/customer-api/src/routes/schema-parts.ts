import { PAGE_LIMIT_MAX } from '@tandem/storage';
import { type TSchemaOptions, Type } from 'typebox';
import { CURSOR_LENGTH_MAX, PAGE_LIMIT_DEFAULT } from '../http/limits.ts';
import {
  PROBLEM_CODES,
  PROBLEM_MEDIA_TYPE,
  PROBLEMS,
  type ProblemCode,
  problemType,
} from '../http/problem.ts';
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

/** Are on every answer. */
const COMMON_HEADERS = {
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

interface ResponseOptions {
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

/** What stands before every route for customers answers with these. */
const GUARD_PROBLEMS = [
  'token-missing',
  'token-invalid',
  'scope-missing',
  'site-refused',
  'rate-limited',
  'overloaded',
] as const satisfies readonly ProblemCode[];

/** As the rate limit sends them, on any answer. */
const RATE_LIMIT_HEADERS = {
  'ratelimit-limit': {
    type: 'integer',
    description: 'Requests that the caller may send in a minute. Only where a token is asked for.',
  },
  'ratelimit-remaining': { type: 'integer', description: 'How many of them are left.' },
  'ratelimit-reset': { type: 'integer', description: 'Seconds until they are counted anew.' },
} as const;

/** The responses of a route for customers: its `own`, and those for the problems it can end in. */
export function guardedResponses(
  codes: readonly ProblemCode[],
  own: Readonly<Record<number, RouteResponse>>,
): Record<number, RouteResponse | ProblemResponse> {
  const responses = { ...problemResponses([...GUARD_PROBLEMS, ...codes]), ...own };
  return Object.fromEntries(
    Object.entries(responses).map(([status, response]) => [
      status,
      { ...response, headers: { ...response.headers, ...RATE_LIMIT_HEADERS } },
    ]),
  );
}

const ViolationAnswer = Type.Object({
  in: Type.String({ enum: ['body', 'path', 'query', 'header'] }),
  field: Type.String({ description: 'JSON pointer into that part; empty for the whole of it.' }),
  rule: Type.String({ description: 'The rule that the field breaks, as a JSON Schema keyword.' }),
  message: Type.String(),
});

export const ProblemAnswer = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', enum: PROBLEM_CODES.map(problemType) }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    instance: Type.String({ description: 'The id of the request, which is also in the log.' }),
    errors: Type.Optional(Type.Array(ViolationAnswer)),
  },
  {
    $id: 'Problem',
    description: 'RFC 9457.',
    examples: [
      {
        type: '/problems/validation-failed',
        title: PROBLEMS['validation-failed'].title,
        status: 400,
        detail: 'Each entry of "errors" names a field and the rule that it breaks.',
        instance: '0af7651916cd43dd8448eb211c80319c',
        errors: [{ in: 'body', field: '/email', rule: 'required', message: 'must be given' }],
      },
    ],
  },
);

export interface ProblemResponse {
  readonly description: string;
  readonly headers: Readonly<Record<string, object>>;
  readonly content: Readonly<Record<string, { readonly schema: object; readonly example: object }>>;
}

/** What any route can answer with, whatever it does. */
const EVERYWHERE = [
  'malformed-request',
  'request-timeout',
  'uri-too-long',
  'headers-too-large',
  'validation-failed',
  'internal-error',
  'service-unavailable',
] as const satisfies readonly ProblemCode[];

/** The responses of a route for the problems it can end in, by status. */
export function problemResponses(codes: readonly ProblemCode[]): Record<number, ProblemResponse> {
  const byStatus = Map.groupBy([...EVERYWHERE, ...codes], (code) => PROBLEMS[code].status);
  const responses = [...byStatus].map(([status, own]) => [
    status,
    {
      description: own.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join(' '),
      headers: { ...COMMON_HEADERS, ...HEADERS_BY_STATUS[status] },
      content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: 'Problem#' }, example: exampleOf(own) } },
    },
  ]);
  return Object.fromEntries(responses);
}

/** Shows the problem that is the route's own: those of every route come first. */
function exampleOf(codes: readonly ProblemCode[]): object {
  const code = codes.at(-1) ?? 'internal-error';
  const { title, status } = PROBLEMS[code];
  return {
    type: problemType(code),
    title,
    status,
    detail: 'What is to be done about it, in a sentence or two.',
    instance: '0af7651916cd43dd8448eb211c80319c',
  };
}

const HEADERS_BY_STATUS: Readonly<Record<number, Readonly<Record<string, object>>>> = {
  400: {
    'www-authenticate': {
      type: 'string',
      description: 'RFC 6750: of a request with two Authorization headers.',
    },
  },
  401: { 'www-authenticate': { type: 'string', description: 'RFC 6750.' } },
  403: { 'www-authenticate': { type: 'string', description: 'RFC 6750: names the scope.' } },
  412: {
    etag: { type: 'string', description: 'The current version, when there is one.' },
    'x-tandem-version': { type: 'string', description: 'The same for x-tandem-min-version.' },
  },
  415: {
    accept: { type: 'string', description: 'The types that are taken here.' },
    'accept-patch': { type: 'string', description: 'The same, of a PATCH (RFC 5789).' },
    'accept-encoding': { type: 'string', description: 'What a body may be packed with.' },
  },
  429: { 'retry-after': { type: 'integer', description: 'Seconds.' } },
  503: { 'retry-after': { type: 'integer', description: 'Seconds.' } },
};

export const tags = ['customers'];
