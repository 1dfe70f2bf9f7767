import { describe, expect, test } from 'vitest';
import { findRegionProblems } from './region-settings.ts';

const STORAGE = { STORAGE_CONNECTION: 'UseDevelopmentStorage=true' };

describe('what a process asks of its environment', () => {
  test.each([
    STORAGE,
    { STORAGE_CONNECTION: 'https://tandemeast.table.core.windows.net' },
    { CUSTOMER_DATA_ACCESS: 'memory' },
    { ...STORAGE, SWEEP_GRACE_MS: '500', CUSTOMER_QUEUE: '' },
  ])('is met by %j', (environment) => {
    expect(findRegionProblems(environment)).toEqual([]);
  });

  test('lists storage and malformed overrides together, by variable, and repeats no value', () => {
    const problems = findRegionProblems({
      STORAGE_CONNECTION: 'AccountName=hunter2',
      CUSTOMER_DATA_ACCESS: 'memroy',
      SWEEP_GRACE_MS: 'soon',
      SERVICE_BUS_CONNECTION: 'hunter2 hunter2',
      PEERS: '[{"connection":"hunter2"}]',
    });
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'STORAGE_CONNECTION',
      'CUSTOMER_DATA_ACCESS',
      'SERVICE_BUS_CONNECTION',
      'PEERS',
      'SWEEP_GRACE_MS',
    ]);
    expect(problems.join('\n')).not.toContain('hunter2');
    expect(problems[1]).toContain('one of multi-region, single-region, memory');
  });

  test.each([{}, { STORAGE_CONNECTION: ' ' }])('misses the storage in %j', (environment) => {
    expect(findRegionProblems(environment)).toEqual([
      expect.stringMatching(/^STORAGE_CONNECTION is not set/),
    ]);
  });
});
