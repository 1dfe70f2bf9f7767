import { openLocalTables } from '@tandem/table-endpoint/testing';
import { describe, expect, it } from 'vitest';
import { byFile, readExchanges } from './recorded.ts';
import { Replay } from './replay.ts';
import { openEndpoint } from './run-conformance.ts';

const exchanges = readExchanges();

describe('the endpoint answers as the service did', () => {
  it('is held against enough of what was recorded', () => {
    expect(exchanges.length).toBeGreaterThanOrEqual(364);
    expect(byFile(exchanges).size).toBeGreaterThanOrEqual(58);
  });

  it.each([...byFile(exchanges)])('%s', async (_, recorded) => {
    const tables = await openLocalTables();
    const replay = new Replay(openEndpoint(tables), tables);
    for (const exchange of recorded) await replay.send(exchange);
  });
});
