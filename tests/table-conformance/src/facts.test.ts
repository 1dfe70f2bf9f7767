import { describe, expect, it } from 'vitest';
import { Follower } from './follower.ts';
import { byFile, readExchanges } from './recorded.ts';

const exchanges = readExchanges();

describe('the protocol reads and writes as the service did', () => {
  it('is held against enough of what was recorded', () => {
    expect(exchanges.length).toBeGreaterThanOrEqual(364);
    expect(byFile(exchanges).size).toBeGreaterThanOrEqual(58);
  });

  it.each([...byFile(exchanges)])('%s', (_, recorded) => {
    const follower = new Follower();
    for (const exchange of recorded) follower.follow(exchange);
  });
});
