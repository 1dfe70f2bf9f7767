import { defineEntityKind, edm, type TypedKind } from '@tandem/core';
import { Type } from 'typebox';

const DeviceSchema = Type.Object({
  label: edm.string(),
  isOnline: edm.boolean(),
  restarts: edm.int32(),
  bytesSent: edm.int64(),
  temperature: edm.double(),
  seenAt: edm.dateTime(),
  ownerId: edm.guid(),
  firmware: edm.binary(),
});

/** An entity kind that is no customer, with a column of every Edm type. */
export const deviceKind: TypedKind<typeof DeviceSchema> = defineEntityKind({
  name: 'Devices',
  schema: DeviceSchema,
});
