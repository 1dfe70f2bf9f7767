import type { RunPlan } from '../run/run-plan.ts';
import type { Draw } from '../world/draw.ts';
import type { OperationKind } from './history.ts';
import { GADGET_FIELDS, type GadgetField } from './values.ts';

/** What a client means to do next; where it asks is another matter. */
export interface Intent {
  readonly kind: OperationKind;
  readonly entityId: string;
  readonly fields: readonly GadgetField[];
  readonly condition: 'none' | 'absent' | 'present' | 'version';
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
