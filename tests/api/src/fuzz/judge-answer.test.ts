import { expect, test } from 'vitest';
import { createAnswerChecker } from '../document/answer-checker.ts';
import { readDocument } from '../document/document.ts';
import { judgeAnswer, type Verdict } from './judge-answer.ts';
import type { PlannedRequest } from './requests/planned-request.ts';
import type { Sent } from './send/send-request.ts';

const document = readDocument();
const options = { document, checker: createAnswerChecker(document) };
const operation = document.operations.find(({ operationId }) => operationId === 'getCustomer');
const request = {
  index: 0,
  kind: 'valid',
  what: 'valid',
  operation,
  method: 'GET',
  target: '/customers/4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88',
  headers: [],
} as unknown as PlannedRequest;
const customer = {
  customerId: '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88',
  email: 'ada@example.com',
  firstName: null,
  lastName: null,
  phoneNumber: null,
};
const problem = (code: string, status: number): object => {
  return { type: `/problems/${code}`, title: 'T.', status, detail: 'D.', instance: 'i' };
};

interface Told {
  readonly status?: number;
  readonly headers?: Record<string, string | undefined>;
  readonly body?: unknown;
  readonly type?: string;
}

function answered({ status = 200, headers = {}, body = customer, type }: Told): Sent {
  const contentType = type ?? (status < 400 ? 'application/json' : 'application/problem+json');
  const common = { 'content-type': contentType, 'x-tandem-region': 'east', 'x-request-id': 'i' };
  const sent = Buffer.from(JSON.stringify(body));
  return { kind: 'answer', answer: { status, headers: { ...common, ...headers }, body: sent } };
}

const judge = (told: Told, asked: Partial<PlannedRequest> = {}): Verdict =>
  judgeAnswer({ ...request, ...asked }, answered(told), options);

test('An answer as the document declares it is fine', () => {
  expect(judge({ headers: { etag: '"v"' } })).toEqual({ undeclared: [], isServerError: false });
});

test.each<[string, Told, RegExp]>([
  ['a status', { status: 418, body: problem('key-spent', 418) }, /the status 418/],
  ['a content type', { type: 'text/html' }, /content type text\/html/],
  ['a header', { headers: { 'x-powered-by': 'us' } }, /the header x-powered-by is not declared/],
  ['a missing header', { headers: { 'x-tandem-region': undefined } }, /x-tandem-region is missing/],
  ['a missing field', { body: { ...customer, email: undefined } }, /the body: .*email/],
  ['a field of another type', { body: { ...customer, email: 7 } }, /\/email must be string/],
  [
    'a header of another type',
    { status: 503, body: problem('overloaded', 503), headers: { 'retry-after': 'soon' } },
    /retry-after/,
  ],
])('%s that is not declared is found', (_what, told, finding) => {
  expect(judge(told).undeclared).toEqual([expect.stringMatching(finding)]);
});

test('An error of the server counts as one; one that is meant does not', () => {
  expect(judge({ status: 500, body: problem('internal-error', 500) }).isServerError).toBe(true);
  expect(judge({ status: 503, body: problem('service-unavailable', 503) }).isServerError).toBe(
    true,
  );
  expect(judge({ status: 503, body: problem('overloaded', 503) }).isServerError).toBe(false);
});

test('What the document forbids must not be taken, nor what it allows refused', () => {
  expect(judge({}, { kind: 'invalid' }).undeclared).toHaveLength(1);
  const refusal = { status: 400, body: problem('validation-failed', 400) };
  expect(judge(refusal).undeclared).toHaveLength(1);
  expect(judge(refusal, { kind: 'invalid' }).undeclared).toEqual([]);
});

test('No answer is fine only for a client that hung up or spoke no HTTP', () => {
  const none: Sent = { kind: 'none', reason: 'reset' };
  expect(judgeAnswer(request, none, options).undeclared).toHaveLength(1);
  expect(judgeAnswer({ ...request, isCutShort: true }, none, options).undeclared).toEqual([]);
  expect(judgeAnswer(request, { kind: 'late' }, options).undeclared).toHaveLength(1);
});
