import type { Answer, AnswerChecker } from '../document/answer-checker.ts';
import type { ApiDocument, Operation } from '../document/document.ts';
import type { PlannedRequest } from './requests/planned-request.ts';
import type { Sent } from './send/send-request.ts';

export interface Verdict {
  /** What the document does not declare; none when all is well. */
  readonly undeclared: readonly string[];
  readonly isServerError: boolean;
}

const FINE: Verdict = { undeclared: [], isServerError: false };
/** With all its tables up, a region has no reason to answer with these. */
const ACCIDENTS = ['/problems/internal-error', '/problems/service-unavailable'];
const REFUSALS = ['/problems/validation-failed', '/problems/malformed-json'];
const SERVER_ERROR_MIN = 500;

export interface JudgeOptions {
  readonly document: ApiDocument;
  readonly checker: AnswerChecker;
}

export function judgeAnswer(request: PlannedRequest, sent: Sent, options: JudgeOptions): Verdict {
  if (sent.kind === 'late') return { ...FINE, undeclared: ['no answer within the time allowed'] };
  if (sent.kind === 'none') {
    // Who hangs up, or speaks no HTTP, may be hung up on.
    const isExpected = request.isCutShort === true || request.raw !== undefined;
    return isExpected ? FINE : { ...FINE, undeclared: [`no answer: ${sent.reason}`] };
  }
  const { answer } = sent;
  const isDeliberate = answer.status === 503 && !isAccident(answer);
  return {
    undeclared: [...againstDocument(request, answer, options), ...againstKind(request, answer)],
    isServerError: answer.status >= SERVER_ERROR_MIN && !isDeliberate,
  };
}

/** Whether something behind the server failed, or the server itself. */
export function isAccident(answer: Answer): boolean {
  return ACCIDENTS.includes(problemTypeOf(answer));
}

function againstDocument(
  request: PlannedRequest,
  answer: Answer,
  { document, checker }: JudgeOptions,
): string[] {
  const operation = findOperation(document, request);
  if (operation === undefined) return checker.ofNoOperation(answer);
  const findings = checker.ofOperation(operation, answer);
  if (findings.length === 0 || request.isAstray !== true) return findings;
  return checker.ofNoOperation(answer).length === 0 ? [] : findings;
}

/** Whether the server agrees with the document on what conforms. */
function againstKind({ kind, what }: PlannedRequest, answer: Answer): string[] {
  if (kind === 'hostile') return [];
  const type = problemTypeOf(answer);
  if (kind === 'invalid') {
    return answer.status < 400 ? [`taken, though the document forbids it: ${what}`] : [];
  }
  return REFUSALS.includes(type) ? [`refused, though it conforms: ${answer.body.toString()}`] : [];
}

function problemTypeOf({ body, headers }: Answer): string {
  if (headers['content-type']?.includes('application/problem+json') !== true) return '';
  return /"type":"([^"]*)"/.exec(body.toString('utf8'))?.[1] ?? '';
}

/** The operation that a server finds for this method and path; undefined when there is none. */
function findOperation(document: ApiDocument, request: PlannedRequest): Operation | undefined {
  if (request.isAstray !== true) return request.operation;
  const { method, target } = lineOf(request);
  const path = target.split('?')[0] ?? '';
  return document.operations.find(
    (operation) => operation.method === method && patternOf(operation.path).test(path),
  );
}

function lineOf(request: PlannedRequest): { readonly method: string; readonly target: string } {
  if (request.raw === undefined) return request;
  const [method = '', target = ''] = request.raw.toString('latin1').split(' ');
  return { method, target: target.replace(/^http:\/\/[^/]+/, '') };
}

function patternOf(path: string): RegExp {
  return new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]*')}$`);
}
