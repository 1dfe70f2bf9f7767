import {
  type ChangePublisher,
  type Clock,
  createPeerLink,
  type PeerLink,
  type Randomness,
} from '@tandem/core';
import type { Logger } from '@tandem/service-kit';
import type { RegionSettings } from './region-settings.ts';

export interface PeerLinksOptions {
  /** One for each peer. */
  readonly publishers: readonly ChangePublisher[];
  readonly clock: Clock;
  readonly randomness: Randomness;
  readonly logger: Logger;
  readonly settings: Pick<RegionSettings, 'wireVersion'>;
}

/** Makes a link to every peer, which logs when the peer goes down and when it is back. */
export function createPeerLinks(options: PeerLinksOptions): readonly PeerLink[] {
  const { publishers, clock, randomness, logger, settings } = options;
  return publishers.map((publisher) =>
    createPeerLink({
      publisher,
      clock,
      randomness,
      wireVersion: settings.wireVersion,
      onDown: (peer, error, retryInMs) =>
        logger.warn(
          { event: 'peer-down', peer, retryInMs, error },
          'The queue of a peer accepts nothing; its changes wait in the outbox.',
        ),
      onUp: (peer) => logger.info({ event: 'peer-up', peer }, 'The queue of a peer accepts again.'),
    }),
  );
}
