import { execFileSync } from 'node:child_process';
import { customerKind } from '@tandem/core/customers';
import {
  CONFIGURATION_TABLE,
  createTableReplicationStatus,
  recordBucketCount,
} from '@tandem/storage';
import { emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const AT = ['--region', 'west'] as const;

describe('tandem config', () => {
  test('gets settings with their defaults, and shows no secret', async () => {
    const { run } = await createCliHarness();
    const { json } = await run('config', 'get', ...AT);
    const settings = json['settings'] as { setting: string; value: string; isSet: boolean }[];
    const valueOf = (name: string) => settings.find(({ setting }) => setting === name);
    expect(valueOf('Peer.Region')).toMatchObject({ value: 'east', isSet: true });
    expect(valueOf('Sweep.IntervalMs')).toMatchObject({ isSet: false });
    expect(JSON.stringify(json)).not.toContain('servicebus.example');
    expect(await run('config', 'get', 'Nonsense', ...AT)).toMatchObject({ code: 2 });
  });

  test('sets one after checking it, and keeps who did and what was before', async () => {
    const { run } = await createCliHarness();
    const set = ['config', 'set', 'Sweep.IntervalMs'];
    expect(await run(...set, 'soon', ...AT, '--apply')).toMatchObject({ code: 2 });
    expect(await run(...set, '500', ...AT)).toMatchObject({ json: { applied: false } });
    expect(await run('config', 'history', ...AT)).toMatchObject({ json: { changes: [] } });
    await run(...set, '500', ...AT, '--apply');
    await run(...set, '700', ...AT, '--apply');
    const { json } = await run('config', 'history', 'Sweep.IntervalMs', ...AT);
    expect(json['changes']).toMatchObject([
      { before: null, after: '500' },
      { before: '500', after: '700' },
    ]);
    const got = await run('config', 'get', 'Sweep.IntervalMs', ...AT);
    expect(got.json['settings']).toMatchObject([{ value: '700', isSet: true }]);
  });

  test('keeps secrets out of the history, and takes them from the environment', async () => {
    const harness = await createCliHarness();
    const environment = { TANDEM_VALUE: 'other.servicebus.example', USER: 'ada' };
    const inventory = { TANDEM_REGIONS: harness.inventory };
    const args = ['config', 'set', 'ServiceBusConnection', '-', ...AT, '--apply'];
    const io = { environment: { ...environment, ...inventory } };
    expect(await harness.runWith(io, '--json', ...args)).toMatchObject({ code: 0 });
    const { out, json } = await harness.run('config', 'history', ...AT);
    expect(json['changes']).toMatchObject([{ by: 'ada', before: '(secret)', after: '(secret)' }]);
    expect(out).not.toContain('other.servicebus');
  });

  test('checks what would keep the services from starting', async () => {
    const { run } = await createCliHarness();
    expect(await run('config', 'check', ...AT)).toMatchObject({ code: 0, json: { problems: [] } });
    await run('config', 'set', 'Peer.Region', 'west', ...AT, '--apply');
    const { code, json } = await run('config', 'check', ...AT);
    expect(code).toBe(3);
    expect(String(json['problems'])).toContain('"west" is this region');
  });
});

describe('settings that only the environment of the services has', () => {
  const beat = ({ regions }: CliHarness) =>
    createTableReplicationStatus(regions.west).beat({
      nowMs: regions.clock.nowMs(),
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'east', passedMs: regions.clock.nowMs(), isReachable: true }],
    });

  test('are not called missing while the services run with them', async () => {
    const harness = await createCliHarness();
    const { store } = harness.regions.west;
    await emptyTable(store, CONFIGURATION_TABLE);
    await recordBucketCount(store, customerKind, MEMORY_BUCKET_COUNT);
    expect(await harness.run('config', 'check', ...AT)).toMatchObject({ code: 3 });
    await beat(harness);
    expect(await harness.run('config', 'check', ...AT)).toMatchObject({
      code: 0,
      json: { problems: [], elsewhere: ['ServiceBusConnection', 'Peers'] },
    });
    const { json } = await harness.run('doctor');
    const checks = (json['findings'] as { check: string }[]).map(({ check }) => check);
    expect(checks).not.toContain('settings');
  });

  test('do not hide what is wrong in the table', async () => {
    const harness = await createCliHarness();
    await beat(harness);
    await harness.run('config', 'set', 'Peer.Region', 'west', ...AT, '--apply');
    const { code, json } = await harness.run('config', 'check', ...AT);
    expect({ code, elsewhere: json['elsewhere'] }).toEqual({ code: 3, elsewhere: [] });
  });
});

describe('tandem completion', () => {
  test('completes commands and options in bash', async () => {
    const { runWith } = await createCliHarness();
    const { out, code } = await runWith({}, 'completion', 'bash');
    expect(code).toBe(0);
    const complete = (...words: readonly string[]): string[] => {
      const line = ['tandem', ...words].map((word) => `'${word}'`).join(' ');
      const script = `${out}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _tandem; echo "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).trim().split(' ');
    };
    expect(complete('re')).toEqual(['rebuild-region', 'release-region', 'repair', 'replay']);
    expect(complete('conflicts', 'r')).toEqual(['restore']);
    expect(complete('replay', '--from', 'east', '--bef')).toEqual(['--before', '--before-archive']);
  });

  test('knows other shells, and none that is not one', async () => {
    const { runWith } = await createCliHarness();
    expect((await runWith({}, 'completion', 'zsh')).out).toContain('bashcompinit');
    expect((await runWith({}, 'completion', 'fish')).out).toContain('complete -c tandem');
    expect(await runWith({}, 'completion', 'cmd')).toMatchObject({ code: 2 });
  });
});
