import { AppError, encodeVector, type VersionVector } from '@tandem/core';
import type { TransactOperation, WriteCondition, WriteOutcome } from '@tandem/storage';
import type { Commit } from '../observe/ledger.ts';
import { writerOf } from '../observe/raw-state.ts';
import type { ApiProcess } from '../processes/api-process.ts';
import type { gadgetKind } from '../world/gadget-kind.ts';
import type { Intent } from './choose-operation.ts';
import type { OperationRecord, Outcome } from './history.ts';
import { type Gadget, gadgetOf, valuesIdAt } from './values.ts';

export interface OperationContext {
  readonly api: ApiProcess;
  readonly intent: Intent;
  readonly record: OperationRecord;
  /** What the client last saw of the entity, for a condition. */
  readonly seenVersion: VersionVector | undefined;
  /** Commits of the entity, to tell which deletion was acknowledged. */
  readonly commits: () => readonly Commit[];
  readonly claimed: Set<string>;
}

export interface OperationResult {
  readonly outcome: Outcome;
  readonly version: VersionVector | undefined;
}

/** A text that no property of a row holds. */
const OVERSIZE_LENGTH = 40_000;
/** One of its operations could not be done. */
export const TRANSACTION_REFUSED = 'transaction-refused';
/** Less than there are entities. */
export const LIST_LIMIT = 2;
const PAGES_MAX = 50;

/** One request, as the process answers it. Resolves also when it throws an operating error. */
export async function performOperation(context: OperationContext): Promise<OperationResult> {
  const { api, intent, record } = context;
  try {
    if (intent.kind === 'get') {
      const version = (await api.table.get(intent.entityId))?.version;
      return { outcome: { kind: 'read', version }, version };
    }
    if (intent.kind === 'list') {
      return { outcome: { kind: 'listed', pages: await listAll(api) }, version: undefined };
    }
    if (intent.kind === 'transact') return await transact(context);
    return toResult(await write(context), context);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const isUnknown = error.code === 'TABLE_OUTCOME_UNKNOWN';
    const outcome: Outcome = isUnknown
      ? { kind: 'unknown', why: `${error.code} ${record.kind}` }
      : { kind: 'refused', code: error.code };
    return { outcome, version: undefined };
  }
}

async function listAll({ table }: ApiProcess): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const listed = await table.list(LIST_LIMIT, cursor);
    pages.push(listed.records.map(({ entityId }) => entityId));
    ({ cursor } = listed);
    if (cursor === undefined) break;
  }
  return pages;
}

function write(context: OperationContext): Promise<WriteOutcome<typeof gadgetKind>> {
  const { api, intent, record } = context;
  const condition = toCondition(context);
  const values: Partial<Gadget> = gadgetOf(record.id, intent.fields);
  switch (intent.kind) {
    case 'oversize':
      return api.table.put(intent.entityId, { label: 'x'.repeat(OVERSIZE_LENGTH) });
    case 'patch':
      return api.table.patch(intent.entityId, values, condition);
    case 'remove':
      return api.table.remove(intent.entityId, condition);
    default:
      return api.table.put(intent.entityId, values, condition);
  }
}

async function transact(context: OperationContext): Promise<OperationResult> {
  const { api, intent, record } = context;
  const values = gadgetOf(record.id, intent.fields);
  const put = { kind: 'put', entityId: intent.entityId, entity: values } as const;
  const others = (intent.others ?? []).map(
    ({ entityId, kind }, index): TransactOperation<typeof gadgetKind> => {
      const values = gadgetOf(valuesIdAt(record.id, index + 1), intent.fields);
      if (kind === 'put') return { kind, entityId, entity: values };
      return kind === 'patch' ? { kind, entityId, changes: values } : { kind, entityId };
    },
  );
  const done = await api.table.transact([{ ...put, condition: toCondition(context) }, ...others]);
  if (done.kind === 'refused') {
    // Which of them it was for is not asked: no checker may take it for the first.
    return { outcome: { kind: 'refused', code: TRANSACTION_REFUSED }, version: undefined };
  }
  const [first] = done.outcomes;
  const version = first !== undefined && 'record' in first ? first.record.version : undefined;
  return { outcome: { kind: 'acknowledged', stamp: version?.get(record.region) }, version };
}

function toCondition({ intent, seenVersion }: OperationContext): WriteCondition | undefined {
  if (intent.condition === 'none') return undefined;
  if (intent.condition !== 'version') return { kind: intent.condition };
  return seenVersion && { kind: 'version', versions: [encodeVector(seenVersion)] };
}

function toResult(
  outcome: WriteOutcome<typeof gadgetKind>,
  context: OperationContext,
): OperationResult {
  const { record } = context;
  switch (outcome.kind) {
    case 'created':
    case 'replaced': {
      const { version } = outcome.record;
      return { outcome: { kind: 'acknowledged', stamp: version.get(record.region) }, version };
    }
    case 'deleted':
      return {
        outcome: { kind: 'acknowledged', stamp: claimDeletion(context) },
        version: undefined,
      };
    default:
      return { outcome: { kind: 'refused', code: outcome.kind }, version: undefined };
  }
}

/** An acknowledged deletion carries no version; the account tells which transaction it was. */
function claimDeletion({ record, commits, claimed }: OperationContext): string | undefined {
  const own = commits().findLast(
    ({ stamp, region, operation, entityId, atMs }) =>
      operation === 'delete' &&
      region === record.region &&
      entityId === record.entityId &&
      writerOf(stamp) === record.writer &&
      atMs >= record.startMs &&
      !claimed.has(`${stamp} ${entityId}`),
  );
  if (own !== undefined) claimed.add(`${own.stamp} ${own.entityId}`);
  return own?.stamp;
}
