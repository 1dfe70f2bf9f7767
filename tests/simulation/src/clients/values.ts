import type { EntityOf } from '@tandem/core';
import type { RawValue } from '../observe/raw-state.ts';
import type { gadgetKind } from '../world/gadget-kind.ts';

export type Gadget = EntityOf<typeof gadgetKind>;
export type GadgetField = keyof Gadget;

export const GADGET_FIELDS: readonly GadgetField[] = [
  'label',
  'bytesSent',
  'seenAt',
  'ownerId',
  'firmware',
  'ratio',
];

const BEYOND_DOUBLE = 2n ** 53n;

/** Values that no other operation writes, so that each value tells who wrote it. */
export function gadgetOf(operationId: number, fields: readonly GadgetField[]): Partial<Gadget> {
  const all: Gadget = {
    label: `op ${operationId}`,
    bytesSent: BEYOND_DOUBLE + BigInt(operationId),
    seenAt: `2026-01-01T00:00:00.${String(operationId * 10 + 1).padStart(7, '0')}Z`,
    ownerId: `0a0a0a0a-0000-4000-8000-${operationId.toString(16).padStart(12, '0')}`,
    firmware: bytesOf(operationId),
    ratio: operationId + 0.5,
  };
  return Object.fromEntries(fields.map((field) => [field, all[field]])) as Partial<Gadget>;
}

/** More than there are operations, and little enough for the values that are made of it. */
const PLACE_STEP = 10_000;

/** Returns the id for the values of one of the entities of an operation, so that each has its own. */
export function valuesIdAt(operationId: number, place: number): number {
  return operationId + place * PLACE_STEP;
}

/** The same values as the wire and the checkers spell them. */
export function rawGadgetOf(operationId: number): Readonly<Record<GadgetField, RawValue>> {
  return {
    label: ['String', `op ${operationId}`],
    bytesSent: ['Int64', (BEYOND_DOUBLE + BigInt(operationId)).toString()],
    seenAt: ['DateTime', `2026-01-01T00:00:00.${String(operationId * 10 + 1).padStart(7, '0')}Z`],
    ownerId: ['Guid', `0a0a0a0a-0000-4000-8000-${operationId.toString(16).padStart(12, '0')}`],
    firmware: ['Binary', Buffer.from(bytesOf(operationId)).toString('base64')],
    ratio: ['Double', operationId + 0.5],
  };
}

function bytesOf(operationId: number): Uint8Array {
  return Uint8Array.of(operationId >>> 16, (operationId >>> 8) & 0xff, operationId & 0xff, 0);
}
