import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { encodeVector } from '@tandem/core';
import { applyBatch, type BatchResult, versionOf } from '../batch/apply-batch.ts';
import { findRepeatedIds } from '../batch/find-repeated-ids.ts';
import type { Acknowledgement } from '../consistency/acknowledgements.ts';
import { nameUnknownLevel, type Preferences, readPreferences } from '../consistency/preferences.ts';
import type { CustomerService } from '../customers/customer-service.ts';
import { BATCH_BODY_BYTES_MAX } from '../http/limits.ts';
import { ProblemError, toProblem, toProblemError } from '../http/problem.ts';
import { logUnexpected } from '../http/send-problem.ts';
import { PROBLEMS } from '../http/problem-catalogue.ts';
import { readIdempotencyKey } from '../idempotency/read-idempotency-key.ts';
import type { BatchItem } from '../schemas/batch.ts';
import { batchSchema } from '../schemas/bulk-routes.ts';
import { refuseConditions, whyNoVersion } from '../preconditions/preconditions.ts';
import { problemOfOutcome } from './problem-of-outcome.ts';

export const batchRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  const options = { schema: batchSchema, bodyLimit: BATCH_BODY_BYTES_MAX };
  app.post('/customers/batch', options, async (request, reply) => {
    refuseConditions(request.headers);
    const { operations } = request.body;
    const errors = findRepeatedIds(operations);
    if (errors.length > 0) throw repeatedIds(errors);
    const key = readIdempotencyKey(request.headers['idempotency-key'], request.caller);
    const results = await applyBatch(operations, { customers, key });
    for (const result of results) if ('error' in result) logUnexpected(result.error, request.log);
    const preferences = readPreferences(request.headers.prefer?.toString());
    nameUnknownLevel(reply, preferences);
    const context = { customers, preferences, requestId: request.id };
    return { items: await Promise.all(results.map((result) => toItem(result, context))) };
  });
};

interface ItemContext {
  readonly customers: CustomerService;
  readonly preferences: Preferences;
  readonly requestId: string;
}

async function toItem(result: BatchResult, context: ItemContext): Promise<BatchItem> {
  const named = result.customerId === undefined ? {} : { customerId: result.customerId };
  const why = whyNoVersion(result.ifVersion);
  const error = 'error' in result ? result.error : problemOfOutcome(result.outcome, why);
  if (error !== undefined) {
    const problem = toProblemError(error);
    const current = problem.headers['x-tandem-version'];
    return {
      status: PROBLEMS[problem.code].status,
      ...named,
      ...(current === undefined ? {} : { version: current }),
      problem: toProblem(problem, context.requestId),
    };
  }
  return 'outcome' in result ? toWritten(result, context) : { status: 500 };
}

const LOCAL: Acknowledgement = { level: 'local', peers: [] };

const STATUSES = {
  created: 201,
  replayed: 201,
  replaced: 200,
  unchanged: 200,
  deleted: 204,
} as const;

async function toWritten(
  { customerId, outcome }: Extract<BatchResult, { outcome: unknown }>,
  { customers, preferences }: ItemContext,
): Promise<BatchItem> {
  const version = versionOf(outcome);
  const id = 'record' in outcome ? outcome.record.entityId : customerId;
  if (version === undefined || id === undefined || !(outcome.kind in STATUSES)) {
    throw new Error('Broken invariant: what is no problem was written');
  }
  const { acknowledgement, peers: asked, waitMs } = preferences;
  const { level, peers } =
    acknowledgement === 'local'
      ? LOCAL
      : await customers.acknowledgementOf(version, { peers: asked, waitMs });
  return {
    status: STATUSES[outcome.kind as keyof typeof STATUSES],
    customerId: id,
    version: encodeVector(version),
    acknowledged: level,
    ...(peers.length === 0 ? {} : { queuedPeers: [...peers] }),
    receipt: customers.receiptFor(id, version),
    ...(outcome.kind === 'replayed' ? { replayed: true } : {}),
  };
}

function repeatedIds(errors: ReturnType<typeof findRepeatedIds>): ProblemError {
  return new ProblemError('validation-failed', {
    detail: 'A batch takes one operation of each customer. Nothing was written.',
    errors,
  });
}
