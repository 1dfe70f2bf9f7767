import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createAnswerChecker } from '../document/answer-checker.ts';
import { readDocument } from '../document/document.ts';
import { createSchemaCompiler } from '../document/schema-checker.ts';
import { createMemoryMeter, type MemoryReport } from '../run/memory-meter.ts';
import type { OneRegion } from '../run/start-one-region.ts';
import { isAccident, judgeAnswer } from './judge-answer.ts';
import { createLearnedValues } from './learned-values.ts';
import { planRequest } from './requests/plan-request.ts';
import type { PlannedRequest } from './requests/planned-request.ts';
import { type SendOptions, type Sent, sendRequest } from './send/send-request.ts';

export interface FuzzOptions {
  readonly region: OneRegion;
  readonly requests: number;
  readonly seed: number;
  /** The number of the first request: the others before it are left out. */
  readonly first: number;
  readonly onProgress?: (done: number) => void;
}

export interface FuzzReport {
  readonly requests: number;
  readonly undeclared: number;
  readonly serverErrors: number;
  readonly crashes: number;
  /** The first of them, a line each. */
  readonly findings: readonly string[];
  /** How many answers had this status. */
  readonly statuses: ReadonlyMap<string, number>;
  readonly memory: MemoryReport | undefined;
}

const CONCURRENCY = 24;
const FINDINGS_MAX = 40;
const LIKE_LENGTH = 40;
const SAMPLE_EVERY = 100;

/** Sends the requests and holds every answer against the document. */
export async function runFuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { region, requests, seed, first, onProgress } = options;
  const document = readDocument();
  const compile = createSchemaCompiler(document);
  const learned = createLearnedValues();
  const judging = { document, checker: createAnswerChecker(document) };
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const memory = createMemoryMeter(region.pid);
  const counts = { sent: 0, done: 0, undeclared: 0, serverErrors: 0 };
  const statuses = new Map<string, number>();
  const findings: string[] = [];
  /** Findings that are alike are told once. */
  const seen = new Map<string, number>();

  const sendOne = async (index: number): Promise<void> => {
    const planned = planRequest(index, { document, compile, learned, seed });
    const sent = await sendPatiently(planned, { port: region.port, agent });
    const status = sent.kind === 'answer' ? String(sent.answer.status) : sent.kind;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (sent.kind === 'answer') learned.learn(sent.answer);
    const verdict = judgeAnswer(planned, sent, judging);
    if (verdict.undeclared.length > 0) counts.undeclared += 1;
    if (verdict.isServerError) counts.serverErrors += 1;
    if (verdict.undeclared.length > 0 || verdict.isServerError) {
      const reason = `${status} ${verdict.undeclared.join('; ')}`;
      const like = `${planned.operation.operationId} ${planned.what} ${reason.slice(0, LIKE_LENGTH)}`;
      seen.set(like, (seen.get(like) ?? 0) + 1);
      if (seen.get(like) === 1 && findings.length < FINDINGS_MAX) {
        const body = sent.kind === 'answer' ? sent.answer.body.toString('utf8') : '';
        findings.push(`${describe(planned)} → ${reason} ${body.slice(0, SHOWN_LENGTH_MAX)}`);
      }
    }
    counts.done += 1;
    if (counts.done % SAMPLE_EVERY !== 0) return;
    memory.sample();
    onProgress?.(counts.done);
  };
  const work = async (): Promise<void> => {
    while (counts.sent < requests && region.crashes.length === 0)
      await sendOne(first + counts.sent++);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  agent.destroy();
  return {
    requests: counts.done,
    undeclared: counts.undeclared,
    serverErrors: counts.serverErrors,
    crashes: region.crashes.length,
    findings: [...findings, ...region.crashes],
    statuses,
    memory: memory.report(),
  };
}

const TRIES_MAX = 4;
const PAUSE_MS_MAX = 5_000;

/**
 * Does what a 503 with Retry-After asks for: the store of a busy machine answers later. What a request
 * itself brings about is there again at the next try, and counts.
 */
async function sendPatiently(planned: PlannedRequest, options: SendOptions): Promise<Sent> {
  for (let tries = 1; ; tries += 1) {
    const sent = await sendRequest(planned, options);
    if (tries === TRIES_MAX || sent.kind !== 'answer' || !isAccident(sent.answer)) return sent;
    const pauseMs = Number(sent.answer.headers['retry-after']) * 1_000;
    if (!Number.isFinite(pauseMs)) return sent;
    await delay(Math.min(pauseMs, PAUSE_MS_MAX));
  }
}

const SHOWN_LENGTH_MAX = 160;

function describe({ index, kind, what, method, target, headers, body }: PlannedRequest): string {
  const shown = [
    `${method} ${target}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    body?.toString('utf8') ?? '',
  ].map((part) => part.slice(0, SHOWN_LENGTH_MAX));
  return `#${index} ${kind} (${what}) ${shown.join(' | ')}`;
}
