import { type Static, Type } from 'typebox';

const REGIONS_MAX = 33;

const RegionSchema = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z][a-z0-9]{0,30}$' }),
    /** Connection string of the storage account, or the URL of its tables for an identity. */
    storage: Type.String({ minLength: 1 }),
    /** Connection string of the namespace, or its host name; by default what the region is set to. */
    serviceBus: Type.Optional(Type.String({ minLength: 1 })),
    /** Where queues are administered, if elsewhere. */
    serviceBusAdministration: Type.Optional(Type.String({ minLength: 1 })),
    queue: Type.Optional(Type.String({ minLength: 1 })),
    /** Base URL of the customer API. */
    api: Type.Optional(Type.String({ pattern: '^https?://' })),
    /** Base URL of the replicator's status. */
    replicator: Type.Optional(Type.String({ pattern: '^https?://' })),
    /** Is the file with the ids of its processes, of a region on this machine: `npm start` writes it. */
    processes: Type.Optional(Type.String({ minLength: 1 })),
  },
  { additionalProperties: false },
);

/** `tandem.regions.json`: where the regions are. A text `env:NAME` stands for a variable. */
export const InventorySchema = Type.Object(
  {
    version: Type.Literal(1),
    regions: Type.Array(RegionSchema, { minItems: 1, maxItems: REGIONS_MAX }),
    trafficManager: Type.Optional(Type.String({ pattern: '^https?://' })),
  },
  { additionalProperties: false },
);

export type Inventory = Static<typeof InventorySchema>;
export type InventoryRegion = Static<typeof RegionSchema>;
