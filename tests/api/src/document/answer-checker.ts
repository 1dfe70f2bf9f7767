import type { Answerable, ApiDocument, MediaType, Operation } from './document.ts';
import { createSchemaCompiler } from './schema-checker.ts';

export interface Answer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
}

export interface AnswerChecker {
  /** What the document does not declare of this answer to this operation; none when all is well. */
  ofOperation(operation: Operation, answer: Answer): string[];
  /** The same for what meets no operation: a problem, whatever was asked. */
  ofNoOperation(answer: Answer): string[];
}

/** Of HTTP and of every answer of the server; everything else has to be in the document. */
const COMMON_HEADERS = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'transfer-encoding',
  'vary',
  // The security headers.
  'access-control-allow-origin',
  'cache-control',
  'content-security-policy',
  'cross-origin-embedder-policy',
  'cross-origin-opener-policy',
  'cross-origin-resource-policy',
  'origin-agent-cluster',
  'permissions-policy',
  'referrer-policy',
  'strict-transport-security',
  'x-content-type-options',
  'x-dns-prefetch-control',
  'x-download-options',
  'x-frame-options',
  'x-permitted-cross-domain-policies',
  'x-xss-protection',
]);
const ON_EVERY_ANSWER = ['x-tandem-region', 'x-request-id'];
const PROBLEM = 'application/problem+json';
/** What the server may say of a path, a method or bytes that are none of the document's. */
const OUTSIDE = new Set([400, 404, 405, 408, 411, 413, 414, 415, 417, 431]);

export function createAnswerChecker(document: ApiDocument): AnswerChecker {
  const compile = createSchemaCompiler(document);
  const problem: Answerable = {
    headers: { allow: { schema: { type: 'string' } } },
    content: { [PROBLEM]: { schema: { $ref: '#/components/schemas/Problem' } } },
  };

  const checkHeaders = ({ headers = {} }: Answerable, answer: Answer): string[] => {
    const missing = ON_EVERY_ANSWER.filter((name) => answer.headers[name] === undefined);
    const undeclared = Object.keys(answer.headers).filter((name) => {
      return !COMMON_HEADERS.has(name) && !ON_EVERY_ANSWER.includes(name) && !(name in headers);
    });
    const wrong = Object.entries(headers).flatMap(([name, { schema }]) => {
      const value = answer.headers[name];
      if (typeof value !== 'string') return [];
      const finding = compile(schema)(schema.type === 'integer' ? Number(value) : value);
      return finding === undefined ? [] : [`the header ${name}: ${finding}`];
    });
    return [
      ...missing.map((name) => `the header ${name} is missing`),
      ...undeclared.map((name) => `the header ${name} is not declared`),
      ...wrong,
    ];
  };

  const checkBody = ({ content = {} }: Answerable, answer: Answer): string[] => {
    const type =
      String(answer.headers['content-type'] ?? '')
        .split(';')[0]
        ?.trim() ?? '';
    if (Object.keys(content).length === 0) {
      return answer.body.length === 0 ? [] : [`a body of ${type}, where none is declared`];
    }
    const media = content[type];
    if (media === undefined) return [`the content type ${type || 'none'} is not declared`];
    return valuesOf(type, answer.body, media).flatMap(({ value, schema }) => {
      if (value === undefined) return [`the body is no ${type}`];
      const finding = schema === undefined ? undefined : compile(schema)(value);
      return finding === undefined ? [] : [`the body: ${finding}`];
    });
  };

  return {
    ofOperation(operation, answer) {
      const declared = operation.responses[String(answer.status)];
      if (declared === undefined) return [`the status ${answer.status} is not declared`];
      const isBodiless = operation.method === 'HEAD';
      return [
        ...checkHeaders(declared, answer),
        ...(isBodiless ? [] : checkBody(declared, answer)),
      ];
    },
    ofNoOperation(answer) {
      if (!OUTSIDE.has(answer.status)) return [`the status ${answer.status} for no operation`];
      return [...checkHeaders(problem, answer), ...checkBody(problem, answer)];
    },
  };
}

interface Parsed {
  /** Undefined when it cannot be parsed. */
  readonly value: unknown;
  readonly schema: MediaType['schema'];
}

/** Of a stream of lines each is a value of its own. */
function valuesOf(type: string, body: Buffer, { schema }: MediaType): Parsed[] {
  const text = body.toString('utf8');
  if (!type.includes('json')) return [{ value: text, schema }];
  if (!/ndjson|json-seq|jsonl/.test(type)) return [{ value: parse(text), schema }];
  const isOfLines = schema !== undefined && schema.type !== 'string';
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ value: parse(line), schema: isOfLines ? schema : undefined }));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
