import { describe, expect, it } from 'vitest';
import type { EndpointAddress, EndpointChoice } from './profile.ts';
import {
  type AnswerCache,
  CLIENTS_REMEMBERED_MAX,
  EMPTY_CACHE,
  lookUp,
} from './resolve-endpoint.ts';

const TTL_MS = 10_000;
const to = (name: string): EndpointChoice<EndpointAddress> => ({
  kind: 'online',
  endpoint: { name, url: `http://${name}` },
});

/** The endpoints that a client uses at these times while the profile answers as given. */
function usedBy(
  client: string,
  lookUps: readonly { nowMs: number; choice: EndpointChoice<EndpointAddress>; ttlMs?: number }[],
): (string | null)[] {
  let cache: AnswerCache = EMPTY_CACHE;
  return lookUps.map(({ nowMs, choice, ttlMs = TTL_MS }) => {
    const outcome = lookUp(cache, { client, nowMs, ttlMs, choice });
    ({ cache } = outcome);
    return outcome.choice.kind === 'none-enabled' ? null : outcome.choice.endpoint.name;
  });
}

describe('what a client remembers', () => {
  it('is used until the TTL is over, and not a millisecond longer', () => {
    expect(
      usedBy('a', [
        { nowMs: 0, choice: to('east') },
        { nowMs: 9_999, choice: to('west') },
        { nowMs: 10_000, choice: to('west') },
      ]),
    ).toEqual(['east', 'east', 'west']);
  });

  it('is not prolonged by using it', () => {
    expect(
      usedBy('a', [
        { nowMs: 0, choice: to('east') },
        { nowMs: 9_000, choice: to('east') },
        { nowMs: 12_000, choice: to('west') },
      ]),
    ).toEqual(['east', 'east', 'west']);
  });

  it('is nothing when the TTL is zero', () => {
    expect(
      usedBy('a', [
        { nowMs: 0, ttlMs: 0, choice: to('east') },
        { nowMs: 1, ttlMs: 0, choice: to('west') },
      ]),
    ).toEqual(['east', 'west']);
  });

  it('is nothing when no endpoint is enabled, but an answer from before still holds', () => {
    expect(
      usedBy('a', [
        { nowMs: 0, choice: { kind: 'none-enabled' } },
        { nowMs: 1, choice: to('east') },
        { nowMs: 2, choice: { kind: 'none-enabled' } },
        { nowMs: 10_001, choice: { kind: 'none-enabled' } },
      ]),
    ).toEqual([null, 'east', 'east', null]);
  });

  it('is its own, and of so many clients only', () => {
    let cache: AnswerCache = EMPTY_CACHE;
    const ask = (client: string, name: string): string | undefined => {
      const outcome = lookUp(cache, { client, nowMs: 1, ttlMs: TTL_MS, choice: to(name) });
      ({ cache } = outcome);
      return outcome.choice.kind === 'none-enabled' ? undefined : outcome.choice.endpoint.name;
    };
    ask('first', 'east');
    expect(ask('second', 'west')).toBe('west');
    expect(ask('first', 'west')).toBe('east');
    for (let count = 0; count < CLIENTS_REMEMBERED_MAX; count += 1) ask(`client-${count}`, 'west');
    expect(cache.size).toBe(CLIENTS_REMEMBERED_MAX);
    expect(ask('first', 'west')).toBe('west');
  });
});
