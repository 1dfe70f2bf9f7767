import { defineEntityKind, edm, type MergePolicy, type TypedKind } from '@tandem/core';
import { Type } from 'typebox';

const GadgetSchema = Type.Object({
  label: edm.string(),
  bytesSent: edm.int64(),
  seenAt: edm.dateTime(),
  ownerId: edm.guid(),
  firmware: edm.binary(),
  ratio: edm.double(),
});

/** Of the clients' entities; what else lies in the table was forged. */
export function isClientsId(entityId: string): boolean {
  return entityId.startsWith('gadget-');
}

/** The entities of the simulated clients. */
export const gadgetKind: TypedKind<typeof GadgetSchema> = defineEntityKind({
  name: 'Gadgets',
  schema: GadgetSchema,
});

/** The same, as those write it whose merge policy is another. */
export function gadgetKindOf({ policy }: { readonly policy: MergePolicy }): typeof gadgetKind {
  return { ...gadgetKind, policy };
}
