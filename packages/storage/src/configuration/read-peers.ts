import { partOfConnectionString, TerminalError } from '@tandem/core';
import type { TandemConfiguration } from './definitions.ts';
import type { Secret } from './setting.ts';

export interface Peer {
  readonly region: string;
  /** Is a connection string, or the host name of a namespace. */
  readonly connection: Secret;
  readonly queue: string;
}

/**
 * Reads the regions that this one sends its changes to; none unless `Customer.DataAccess` is
 * `multi-region`. Throws `CONFIGURATION_INVALID` with everything that is wrong with them.
 */
export function readPeers(
  configuration: Pick<TandemConfiguration, 'get'>,
  ownRegion: string,
): readonly Peer[] {
  if (configuration.get('Customer.DataAccess') !== 'multi-region') return [];
  const queue = configuration.get('Customer.Queue');
  const listed = configuration.get('Peers')?.map((peer) => ({ queue, ...peer }));
  const peers = listed ?? [readOnlyPeer(configuration, queue)];
  const problems = [
    ...peers
      .filter((peer) => peer.region === ownRegion)
      .map(() => `"${ownRegion}" is this region: a region is no peer of itself`),
    ...repeated(peers.map((peer) => peer.region)).map((region) => `"${region}" is named twice`),
    ...sharedQueues(configuration, peers),
    ...foreignPaths(configuration, peers),
  ];
  if (problems.length > 0) throw invalid(problems);
  return peers;
}

function readOnlyPeer(configuration: Pick<TandemConfiguration, 'get'>, queue: string): Peer {
  const region = configuration.get('Peer.Region');
  const connection = configuration.get('RedundancyServiceBusConnection');
  if (region !== undefined && connection !== undefined) return { region, connection, queue };
  const missing = [
    ...(region === undefined ? ['Peer.Region'] : []),
    ...(connection === undefined ? ['RedundancyServiceBusConnection'] : []),
  ].join(' and ');
  const alternative = 'or Peers for several regions, or Customer.DataAccess to single-region';
  throw invalid([`no peer is named: set ${missing}, ${alternative}`]);
}

/**
 * Finds queues that are shared: a region that sent to its own, or two peers to one, would lose
 * changes.
 */
function sharedQueues(
  configuration: Pick<TandemConfiguration, 'get'>,
  peers: readonly Peer[],
): string[] {
  const own = configuration.get('ServiceBusConnection');
  const ownQueue =
    own && addressOf({ connection: own, queue: configuration.get('Customer.Queue') });
  const shared = repeated(peers.map(addressOf));
  return peers.flatMap((peer) => {
    const address = addressOf(peer);
    if (address === ownQueue) {
      return [`"${peer.region}" has the queue that this region listens to: ${address}`];
    }
    if (shared.includes(address)) {
      return [`"${peer.region}" shares its queue with another peer: ${address}`];
    }
    return [];
  });
}

/** Finds connection strings that were copied from another queue, for which alone they are. */
function foreignPaths(
  configuration: Pick<TandemConfiguration, 'get'>,
  peers: readonly Peer[],
): string[] {
  const own = configuration.get('ServiceBusConnection');
  const used = [
    ...(own === undefined
      ? []
      : [
          {
            name: 'ServiceBusConnection',
            connection: own,
            queue: configuration.get('Customer.Queue'),
          },
        ]),
    ...peers.map((peer) => ({ ...peer, name: `the connection to "${peer.region}"` })),
  ];
  return used.flatMap(({ name, connection, queue }) => {
    const path = partOfConnectionString(connection.reveal(), 'EntityPath');
    if (path === undefined || path.toLowerCase() === queue.toLowerCase()) return [];
    return [
      `${name} is for the queue "${path}" alone (EntityPath), and the queue here is "${queue}": ` +
        `take ;EntityPath=${path} out of it`,
    ];
  });
}

/** Returns host and queue, without key or credentials. */
function addressOf({ connection, queue }: Pick<Peer, 'connection' | 'queue'>): string {
  const text = connection.reveal();
  const host = /Endpoint=sb:\/\/([^/;]+)/i.exec(text)?.[1] ?? text;
  return `${host}/${queue}`.toLowerCase();
}

function repeated(texts: readonly string[]): string[] {
  return [...new Set(texts.filter((text, index) => texts.indexOf(text) < index))];
}

function invalid(problems: readonly string[]): TerminalError {
  const message = `The peers in the table Configuration are wrong: ${problems.join('; ')}.`;
  return new TerminalError('CONFIGURATION_INVALID', message, { details: { problems } });
}
