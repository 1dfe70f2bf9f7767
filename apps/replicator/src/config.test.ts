import { describe, expect, test } from 'vitest';
import { readConfig } from './config.ts';

const GOOD = { REGION_ID: 'east', PORT: '0', STORAGE_CONNECTION: 'UseDevelopmentStorage=true' };

describe('configuration from the environment', () => {
  test('needs a region, a port and a store, and has defaults for the rest', () => {
    expect(readConfig(GOOD)).toEqual({
      ok: true,
      config: {
        region: 'east',
        storageConnection: 'UseDevelopmentStorage=true',
        administrationConnection: undefined,
        listen: { host: '127.0.0.1', port: 0 },
        allowedHosts: [],
        logLevel: 'info',
        shutdownMs: 20_000,
        environment: GOOD,
      },
    });
  });

  test('G1: reads the names under which it may be asked, and refuses what is none', () => {
    expect(readConfig({ ...GOOD, ALLOWED_HOSTS: 'A.example, *.b.example' })).toMatchObject({
      config: { allowedHosts: ['a.example', '*.b.example'] },
    });
    const reading = readConfig({ ...GOOD, ALLOWED_HOSTS: 'http://a.example' });
    expect(reading).toMatchObject({
      ok: false,
      problems: [expect.stringMatching(/^ALLOWED_HOSTS /)],
    });
  });

  test('names every problem at once, each with its variable', () => {
    const reading = readConfig({ REGION_ID: 'East!', PORT: '70000', LOG_LEVEL: 'loud' });
    const problems = reading.ok ? [] : reading.problems;
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'REGION_ID',
      'PORT',
      'LOG_LEVEL',
      'STORAGE_CONNECTION',
    ]);
  });

  test('needs no store where the data is kept in memory', () => {
    const reading = readConfig({
      ...GOOD,
      STORAGE_CONNECTION: ' ',
      CUSTOMER_DATA_ACCESS: 'memory',
    });
    expect(reading).toMatchObject({ ok: true, config: { storageConnection: undefined } });
  });

  test('never repeats a value, which may be a secret', () => {
    const reading = readConfig({ PORT: 'AccountKey=hunter2', REGION_ID: 'hunter2!' });
    expect(JSON.stringify(reading)).not.toContain('hunter2');
  });
});
