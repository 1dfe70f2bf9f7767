import { bucketOf, WHOLE_WIRE_VERSION } from '@tandem/core';
import type { RunPlan } from '../run/run-plan.ts';
import type { Draw } from '../world/draw.ts';
import type { OperationKind } from './history.ts';
import { GADGET_FIELDS, type GadgetField } from './values.ts';

/** What a client means to do next; where it asks is another matter. */
export interface Intent {
  readonly kind: OperationKind;
  readonly entityId: string;
  /** Are what a transaction is of besides, in the same bucket. */
  readonly others?: readonly TransactPart[];
  readonly fields: readonly GadgetField[];
  readonly condition: 'none' | 'absent' | 'present' | 'version';
}

interface TransactPart {
  readonly entityId: string;
  readonly kind: 'put' | 'patch' | 'remove';
}

const KINDS: readonly OperationKind[] = [
  'put',
  'put',
  'put',
  'patch',
  'patch',
  'patch',
  'remove',
  'remove',
  'get',
  'get',
  'list',
];
const OVERSIZE_PROBABILITY = 0.01;

export function chooseIntent(draw: Draw, plan: Pick<RunPlan, 'entityCount'>, key: string): Intent {
  const kind = draw.chance(`${key}.oversize`, OVERSIZE_PROBABILITY)
    ? 'oversize'
    : draw.pick(`${key}.kind`, KINDS);
  const chosen = GADGET_FIELDS.filter((field) => draw.chance(`${key}.${field}`, 0.45));
  return {
    kind,
    entityId: entityIdOf(draw.integer(`${key}.entity`, [0, plan.entityCount - 1])),
    fields: chosen.length === 0 ? ['label'] : chosen,
    condition: draw.pick(`${key}.condition`, conditionsOf(kind)),
  };
}

const TRANSACT_PROBABILITY = 0.25;
const HUNDRED_PROBABILITY = 0.5;
const HUNDRED = 100;
const ODD_OF_HUNDRED = 0.01;
const OTHERS_MAX = 19;
const PARTS: readonly TransactPart['kind'][] = ['put', 'put', 'put', 'patch', 'remove'];

/** Makes some of what a client means to write a transaction of 2 to 20 entities, or of 100, where every region reads those. */
export function chooseTransaction(
  draw: Draw,
  {
    entityCount,
    bucketCount,
    wireVersion,
    hasHundreds,
  }: Pick<RunPlan, 'entityCount' | 'bucketCount' | 'wireVersion' | 'hasHundreds'>,
  { key, intent }: { readonly key: string; readonly intent: Intent },
): Intent {
  const isWrite = intent.kind === 'put' || intent.kind === 'patch';
  if (wireVersion < WHOLE_WIRE_VERSION || !isWrite) return intent;
  const isHundred = hasHundreds && draw.chance(`${key}.hundred`, HUNDRED_PROBABILITY);
  if (!isHundred && !draw.chance(`${key}.transact`, TRANSACT_PROBABILITY)) return intent;
  const bucket = bucketOf(intent.entityId, bucketCount);
  const others = Array.from({ length: entityCount }, (_, index) => entityIdOf(index))
    .filter((id) => id !== intent.entityId && bucketOf(id, bucketCount) === bucket)
    .filter((id) => isHundred || draw.chance(`${key}.with.${id}`, 0.6))
    .slice(0, isHundred ? HUNDRED - 1 : OTHERS_MAX)
    .map((id): TransactPart => {
      // One that may not happen refuses all.
      const isPlain = isHundred && !draw.chance(`${key}.odd.${id}`, ODD_OF_HUNDRED);
      return { entityId: id, kind: isPlain ? 'put' : draw.pick(`${key}.part.${id}`, PARTS) };
    });
  return others.length === 0 ? intent : { ...intent, kind: 'transact', others };
}

/** Every entity there is; what must not be there yet is written without being read. */
export function chooseCrowd(plan: RunPlan): readonly Intent[] {
  return Array.from({ length: plan.entityCount }, (_, index) => ({
    kind: 'put',
    entityId: entityIdOf(index),
    fields: ['label', 'bytesSent'],
    condition: 'absent',
  }));
}

function conditionsOf(kind: OperationKind): readonly Intent['condition'][] {
  switch (kind) {
    case 'put':
      return ['none', 'none', 'none', 'absent', 'version'];
    case 'patch':
    case 'remove':
      return ['none', 'none', 'none', 'present', 'version'];
    default:
      return ['none'];
  }
}

function entityIdOf(index: number): string {
  return `gadget-${index}`;
}
