import { createEndpoint, type Endpoint, type ServedTables } from '@tandem/table-endpoint';
import { createMemoryTables } from '@tandem/table-endpoint/testing';
import { describe, expect, it } from 'vitest';
import { byFile, readExchanges } from './recorded.ts';
import { ACCOUNT, Replay } from './replay.ts';

const exchanges = readExchanges();

describe('the endpoint answers as the service did', () => {
  it('is held against enough of what was recorded', () => {
    expect(exchanges.length).toBeGreaterThanOrEqual(364);
    expect(byFile(exchanges).size).toBeGreaterThanOrEqual(58);
  });

  it.each([...byFile(exchanges)])('%s', async (_, recorded) => {
    const tables = createMemoryTables();
    const replay = new Replay(openEndpoint(tables), tables);
    for (const exchange of recorded) await replay.send(exchange);
  });
});

function openEndpoint(tables: ServedTables): Endpoint {
  let ids = 0;
  return createEndpoint({
    tables,
    accounts: [ACCOUNT],
    styleOf: (host) => ({ account: 'acc', isSecondary: host.startsWith('acc-secondary.') }),
    nowMs: Date.now,
    newRequestId: () => `id-${(ids += 1)}`,
    challenge:
      'Bearer authorization_uri=https://login.microsoftonline.com/<tenant>/oauth2/authorize resource_id=https://storage.azure.com',
    onFailure: (error) => {
      throw error;
    },
  });
}
