import { describe, expect, it } from 'vitest';
import { readPreferences } from './preferences.ts';

describe('Prefer', () => {
  it.each([
    [undefined, 'local', 2_000],
    ['', 'local', 2_000],
    ['ack=queued', 'queued', 2_000],
    ['ACK = "queued" ; x=1 , wait=3', 'queued', 3_000],
    ['return=minimal, wait=0', 'local', 0],
    ['wait=999999', 'local', 10_000],
    ['wait=1, wait=9', 'local', 1_000],
    ['wait=-1, ack=both', 'local', 2_000],
    [',;=,,ack', 'local', 2_000],
    ['x'.repeat(10_000), 'local', 2_000],
  ])('%s asks for %s within %i ms', (header, acknowledgement, waitMs) => {
    expect(readPreferences(header)).toMatchObject({ acknowledgement, waitMs });
  });

  it.each([
    [undefined, undefined],
    ['ack=local', undefined],
    ['ack="queued"', undefined],
    ['ack=replicated, wait=1', 'replicated'],
    ['wait=1, ACK=Queued', 'Queued'],
    ['ack', ''],
    ['ack=local, ack=archived', undefined],
  ])('C12: %s names the unknown level %s', (header, value) => {
    const unknown = value === undefined ? undefined : { name: 'ack', value };
    expect(readPreferences(header).unknown).toEqual(unknown);
  });

  it.each([
    ['ack=queued', 'all', undefined],
    ['ack=queued; peers=any', 'any', undefined],
    ['wait=1, Ack=queued ;x;  Peers = "any"; y=2, peers=all', 'any', undefined],
    ['ack=queued;peers=all', 'all', undefined],
    ['ack=queued, peers=any', 'all', undefined],
    ['wait=3; peers=any, ack=queued', 'all', undefined],
    ['ack=queued; peers=two', 'all', { name: 'peers', value: 'two' }],
    ['ack=both; peers=any', 'any', { name: 'ack', value: 'both' }],
  ])('C13: %s asks for %s peers', (header, peers, unknown) => {
    expect(readPreferences(header)).toMatchObject({ peers });
    expect(readPreferences(header).unknown).toEqual(unknown);
  });
});
