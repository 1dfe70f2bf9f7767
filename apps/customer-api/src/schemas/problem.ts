import { Type } from 'typebox';
import {
  PROBLEM_CODES,
  PROBLEM_MEDIA_TYPE,
  type ProblemCode,
  PROBLEMS,
  problemType,
} from '../http/problem-catalogue.ts';
import { COMMON_HEADERS } from './parts.ts';

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

/** Of the problem that is the route's own: those of every route come first. */
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
