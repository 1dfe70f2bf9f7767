import type { EntityState } from '../state/entity-state.ts';
import { isWholeText } from '../values/encode-field-value.ts';
import { findEntityIdFault } from './entity-fields.ts';
import type { EntityKind } from './entity-kind.ts';

/**
 * Why a received state can be none of this kind, or undefined. A field that this build does not know
 * is no fault: a peer that was upgraded first may have it, and it is kept.
 */
export function findEntityFault(
  kind: EntityKind,
  entityId: string,
  state: EntityState,
): string | undefined {
  if (findEntityIdFault(kind, entityId) !== undefined) return 'its id is none of this kind';
  for (const [name, { value }] of state.fields) {
    if (value?.type === 'String' && !isWholeText(value.value)) {
      return `its field "${name}" holds half a surrogate pair`;
    }
    const type = kind.edmTypes.get(name);
    if (type !== undefined && value !== null && value.type !== type) {
      return `its field "${name}" holds an Edm.${value.type} and takes an Edm.${type}`;
    }
  }
  return undefined;
}
