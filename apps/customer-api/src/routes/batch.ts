import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { assert, encodeVector } from '@tandem/core';
import { type Acknowledgement, versionOf } from '@tandem/region';
import type { WriteCondition } from '@tandem/storage';
import { type Static, Type } from 'typebox';
import { nameUnknownLevel, type Preferences, readPreferences } from '../consistency/preferences.ts';
import type {
  BatchOutcome,
  CustomerOperation,
  CustomerService,
} from '../customers/customer-service.ts';
import { BATCH_BODY_BYTES_MAX, BATCH_OPERATIONS_MAX } from '../http/limits.ts';
import { PROBLEMS, ProblemError, toProblem, toProblemError } from '../http/problem.ts';
import { readIdempotencyKey } from '../idempotency/idempotency-key.ts';
import { requireScope } from '../plugins/auth.ts';
import { logUnexpected } from '../plugins/problems.ts';
import {
  agreeOn,
  preconditionRequired,
  refuseConditions,
  whyNoVersion,
} from '../preconditions/preconditions.ts';
import type { Violation } from '../validation/validator.ts';
import { problemOfOutcome } from './answer-customer.ts';
import {
  BODY_PROBLEMS,
  CustomerBody,
  CustomerReplacement,
  JSON_TYPES,
} from './customers-schema.ts';
import {
  CreateHeaders,
  CustomerParams,
  guardedResponses,
  jsonResponse,
  tags,
  UNKNOWN_LEVEL_HEADER,
  VERSION_LENGTH_MAX,
} from './schema-parts.ts';

export const batchRoute: FastifyPluginAsyncTypebox<{
  readonly customers: CustomerService;
}> = async (app, { customers }) => {
  const options = { schema: batchSchema, bodyLimit: BATCH_BODY_BYTES_MAX };
  app.post('/customers/batch', options, async (request, reply) => {
    refuseConditions(request.headers);
    const { operations, atomic = false } = request.body;
    const errors = findRepeatedIds(operations);
    if (errors.length > 0) throw repeatedIds(errors);
    const key = readIdempotencyKey(request.headers['idempotency-key'], request.caller);
    const results = atomic
      ? await applyWhole(operations, customers)
      : await applyBatch(operations, { customers, key });
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

const { customerId } = CustomerParams.properties;

const ifVersion = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: VERSION_LENGTH_MAX,
    description: 'Only while this is its version, as `x-tandem-version` or a list gave it.',
  }),
);

const BatchOperation = Type.Object(
  {
    create: Type.Optional(
      Type.Object(
        { customerId: Type.Optional(customerId), customer: CustomerBody },
        {
          additionalProperties: false,
          description: 'Only while there is no such customer. Without an id the region makes one.',
        },
      ),
    ),
    replace: Type.Optional(
      Type.Object(
        { customerId, customer: CustomerReplacement, ifVersion },
        { additionalProperties: false, description: 'Creates, or replaces whole.' },
      ),
    ),
    delete: Type.Optional(Type.Object({ customerId, ifVersion }, { additionalProperties: false })),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
    description: 'Exactly one of the three.',
  },
);

const EXAMPLE_ID = '4f1c9d0e-6a53-4b3e-9f0a-2f6b0c1d7e88';
const OTHER_ID = 'c0a1b2c3-0d4e-4f5a-8b6c-7d8e9f0a1b2c';
const VERSION = '019a1b2c3d4e-0000-east-k3v9x2q7';

const BatchBody = Type.Object(
  {
    operations: Type.Array(BatchOperation, {
      minItems: 1,
      maxItems: BATCH_OPERATIONS_MAX,
      description: 'No two of one customer.',
    }),
    atomic: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'All operations or none, in every region: of customers that share a bucket, each named by its ' +
          'id; of a hundred where `Messages.WireVersion` is 5, else of 99. A batch of others is refused with `batch-not-atomic`, which names the buckets.',
      }),
    ),
  },
  {
    additionalProperties: false,
    examples: [
      {
        operations: [
          { create: { customer: { email: 'ada@example.com', firstName: 'Ada' } } },
          { replace: { customerId: EXAMPLE_ID, customer: { email: 'bob@example.com' } } },
          { delete: { customerId: OTHER_ID, ifVersion: VERSION } },
        ],
      },
    ],
  },
);

const BatchItem = Type.Object({
  status: Type.Integer({
    description: 'What the operation alone would have been answered: 200, 201, 204 or a problem.',
  }),
  customerId: Type.Optional(Type.String({ format: 'uuid', description: 'In lower case.' })),
  version: Type.Optional(
    Type.String({ description: 'What the write made, or what is there instead (412).' }),
  ),
  acknowledged: Type.Optional(
    Type.String({ enum: ['local', 'queued'], description: 'The level that the write reached.' }),
  ),
  queuedPeers: Type.Optional(
    Type.Array(Type.String(), {
      description: 'As the header x-tandem-queued-peers has them.',
    }),
  ),
  receipt: Type.Optional(Type.String({ description: 'As the header x-tandem-receipt has it.' })),
  replayed: Type.Optional(
    Type.Boolean({ description: 'The Idempotency-Key had created the customer before.' }),
  ),
  problem: Type.Optional(Type.Unsafe<object>({ $ref: 'Problem#' })),
});

export const BatchAnswer = Type.Object(
  { items: Type.Array(BatchItem, { description: 'One for each operation, in their order.' }) },
  {
    $id: 'BatchResult',
    examples: [
      {
        items: [
          {
            status: 201,
            customerId: EXAMPLE_ID,
            version: VERSION,
            acknowledged: 'local',
            receipt: 'bWk4aTFhYmM6MDE5YTFiMmMzZDRlAbCdEfGhIjK',
          },
          {
            status: 404,
            customerId: OTHER_ID,
            problem: {
              type: '/problems/customer-not-found',
              title: 'There is no such customer.',
              status: 404,
              detail: 'It was never created, was deleted, or has not reached this region yet.',
              instance: '0af7651916cd43dd8448eb211c80319c',
            },
          },
        ],
      },
    ],
  },
);

type BatchOperation = Static<typeof BatchOperation>;
type BatchItem = Static<typeof BatchItem>;

/** The operations of a batch on a customer that an earlier one names: which comes first, none says. */
function findRepeatedIds(operations: readonly BatchOperation[]): readonly Violation[] {
  const seen = new Set<string>();
  return operations.flatMap((operation, index): Violation[] => {
    const id = idOf(operation);
    if (id === undefined) return [];
    if (!seen.has(id)) {
      seen.add(id);
      return [];
    }
    const [kind = ''] = Object.keys(operation);
    const field = `/operations/${index}/${kind}/customerId`;
    return [{ in: 'body', field, rule: 'unique', message: 'must not be named twice in a batch' }];
  });
}

interface BatchContext {
  readonly customers: CustomerService;
  /** Names the batch: its creations without an id get theirs from it. */
  readonly key: string | undefined;
}

/** What became of one operation; `error` is what its write threw. */
type BatchResult =
  | ({ readonly outcome: BatchOutcome } & BatchTarget)
  | ({ readonly error: unknown } & BatchTarget);

interface BatchTarget {
  readonly customerId: string | undefined;
  /** Is the version that the operation depends on. */
  readonly ifVersion: string | undefined;
}

/**
 * Writes all at once, so that those of one bucket share a transaction. Each is done or not by itself:
 * one that fails takes no other with it. In the order of the operations; never throws.
 */
async function applyBatch(
  operations: readonly BatchOperation[],
  context: BatchContext,
): Promise<readonly BatchResult[]> {
  return Promise.all(
    operations.map(async (operation, index): Promise<BatchResult> => {
      const target = { customerId: idOf(operation), ifVersion: versionNamedBy(operation) };
      try {
        return { ...target, outcome: await apply(operation, index, context) };
      } catch (error) {
        return { ...target, error };
      }
    }),
  );
}

/**
 * Writes all or nothing. Throws `batch-not-atomic` for what no transaction can hold, and `batch-refused`, naming the
 * operation, for what cannot be done now: nothing was written then.
 */
async function applyWhole(
  operations: readonly BatchOperation[],
  customers: CustomerService,
): Promise<readonly BatchResult[]> {
  const asked: CustomerOperation[] = [];
  for (const [index, operation] of operations.entries()) {
    try {
      asked.push(await toOperation(operation, index, customers));
    } catch (error) {
      throw error instanceof ProblemError && error.code !== 'batch-not-atomic'
        ? batchRefused(index, error)
        : error;
    }
  }
  const done = await customers.transact(asked);
  const targets = operations.map((operation) => ({
    customerId: idOf(operation),
    ifVersion: versionNamedBy(operation),
  }));
  if (done.kind === 'done') {
    return done.outcomes.map((outcome, index) => ({ ...targets[index]!, outcome }));
  }
  const why = whyNoVersion(targets[done.index]?.ifVersion);
  const problem = problemOfOutcome(done.outcome, why);
  assert(problem !== undefined, 'what refuses a batch is a problem');
  throw batchRefused(done.index, problem);
}

async function toOperation(
  { create, replace, delete: removal }: BatchOperation,
  index: number,
  customers: CustomerService,
): Promise<CustomerOperation> {
  if (create !== undefined) {
    const { customerId: entityId, customer: entity } = create;
    if (entityId !== undefined) {
      return { kind: 'put', entityId, entity, condition: { kind: 'absent' } };
    }
    throw new ProblemError('batch-not-atomic', {
      detail:
        `Operation ${index} creates a customer without an id, which lies in any bucket. Nothing was ` +
        'written: give it a customerId, or leave out `atomic`.',
    });
  }
  const { customerId: entityId, ifVersion: version } = (replace ?? removal)!;
  const condition = conditionOn(version, customers);
  if (replace === undefined) return { kind: 'remove', entityId, condition };
  const target = { customers, customerId: entityId };
  const agreed = await agreeOn(replace.customer, target, condition);
  return { kind: 'put', entityId, entity: agreed.fields, condition: agreed.condition };
}

function batchRefused(index: number, { code, message }: ProblemError): ProblemError {
  return new ProblemError('batch-refused', {
    detail: `Operation ${index} cannot be done, so nothing was written: ${message}`,
    errors: [{ in: 'body', field: `/operations/${index}`, rule: code, message }],
  });
}

function versionNamedBy({ replace, delete: removal }: BatchOperation): string | undefined {
  return (replace ?? removal)?.ifVersion;
}

/** Throws `precondition-required` where the region takes no blind writes. */
function conditionOn(
  version: string | undefined,
  customers: CustomerService,
): WriteCondition | undefined {
  if (version !== undefined) return { kind: 'version', versions: [version] };
  if (customers.isPreconditionRequired()) throw preconditionRequired();
  return undefined;
}

function idOf({ create, replace, delete: removal }: BatchOperation): string | undefined {
  return (create ?? replace ?? removal)?.customerId?.toLowerCase();
}

async function apply(
  { create, replace, delete: removal }: BatchOperation,
  index: number,
  { customers, key }: BatchContext,
): Promise<BatchOutcome> {
  if (create !== undefined) {
    const { customerId, customer } = create;
    if (customerId !== undefined) return customers.put(customerId, customer, { kind: 'absent' });
    return customers.create(customer, key === undefined ? undefined : `${key}\nbatch\n${index}`);
  }
  const { customerId, ifVersion } = (replace ?? removal)!;
  const condition = conditionOn(ifVersion, customers);
  if (replace === undefined) return customers.remove(customerId, condition);
  const agreed = await agreeOn(replace.customer, { customers, customerId }, condition);
  return customers.put(customerId, agreed.fields, agreed.condition);
}

const batchSchema = {
  operationId: 'writeCustomers',
  security: requireScope('customers.write'),
  summary: 'Create, replace and delete up to 100 customers, each by itself or all together',
  description:
    'Each operation is done or not, and the answer tells of each. It is 200 as soon as the batch itself ' +
    'is well-formed. With `atomic` it is one transaction: all operations are done or none is. A batch that names one customer twice is refused whole. ' +
    'With an `Idempotency-Key` the batch may be repeated, in any region: its creations without an ' +
    'id then make no second customers.',
  tags,
  consumes: JSON_TYPES,
  headers: CreateHeaders,
  body: BatchBody,
  response: guardedResponses(
    ['version-malformed', 'batch-refused', 'batch-not-atomic', ...BODY_PROBLEMS],
    {
      200: jsonResponse('BatchResult', {
        description: 'What became of each operation.',
        headers: UNKNOWN_LEVEL_HEADER,
      }),
    },
  ),
};
