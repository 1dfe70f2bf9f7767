import {
  createPeerLink,
  createRelay,
  finishAtOnce,
  finishLate,
  type Outbox,
  type PeerLink,
  type Relay,
  type RelaySteps,
} from '@tandem/core';
import { createTableArchive, createTableOutbox } from '@tandem/storage';
import { bucketCountOf, kindsOf } from '../tables/open-tables.ts';
import type { ProcessContext } from './process-context.ts';

export interface RelayParts {
  readonly relay: Relay & RelaySteps;
  readonly outboxes: readonly Outbox[];
  readonly links: readonly PeerLink[];
}

/** What relays outbox rows, in the API at once and in the replicator by the sweep. */
export function createRelayParts(
  context: ProcessContext,
  options: {
    readonly part: string;
    readonly bucketCount: number;
    readonly wireVersion: number;
    /** As in the API: sending does not wait for the archive. */
    readonly finishesLate?: boolean;
  },
): RelayParts {
  const { part, bucketCount } = options;
  const store = context.store(part);
  const { randomness } = context;
  const outboxes = new Map(
    kindsOf(context.world.plan).map((kind) => {
      const count = bucketCountOf(kind.name, { bucketCount });
      return [kind.name, createTableOutbox({ store, kind, bucketCount: count })];
    }),
  );
  const links = context.peers.map((peer) =>
    createPeerLink({
      publisher: context.publisher(part, peer),
      clock: context.clock(part),
      randomness,
      wireVersion: options.wireVersion,
    }),
  );
  const archive = createTableArchive({ store });
  const stored = { archive, outboxes };
  const finish =
    options.finishesLate === true
      ? finishLate({ ...stored, clock: context.clock(`${part}-late`) })
      : finishAtOnce(stored);
  return { relay: createRelay({ finish, links }), outboxes: [...outboxes.values()], links };
}
