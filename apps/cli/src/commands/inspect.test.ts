import { deflateChangeSet } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

async function createConflict(): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions } = harness;
  await regions.east.table.put(ID, { email: 'base@example.com', phoneNumber: '1' });
  await regions.settle();
  await regions.east.table.patch(ID, { email: 'east@example.com' });
  await regions.clock.advance(5);
  await regions.west.table.patch(ID, { email: 'west@example.com' });
  await regions.settle();
  return harness;
}

describe('tandem conflicts', () => {
  test('lists and shows the value that lost, the same in both regions', async () => {
    const { run, runWith } = await createConflict();
    const east = await run('conflicts', 'list', '--region', 'east');
    const west = await run('conflicts', 'list', '--region', 'west');
    expect(east.json['conflicts']).toEqual(west.json['conflicts']);
    const [conflict] = east.json['conflicts'] as { conflict: string }[];
    const { json } = await run('conflicts', 'show', conflict?.conflict ?? '', '--region', 'east');
    expect(json).toMatchObject({
      id: ID,
      fields: [{ name: 'email', lost: { value: ['String', 'east@example.com'] } }],
    });
    const shown = await runWith(
      {},
      'conflicts',
      'show',
      conflict?.conflict ?? '',
      '--region',
      'west',
    );
    expect(shown.out).toContain('west@example.com');
    expect(await run('conflicts', 'show', 'nonsense', '--region', 'east')).toMatchObject({
      code: 2,
    });
  });

  test('restores it by a write that every region gets, unless it was written again since', async () => {
    const { regions, run } = await createConflict();
    const { json } = await run('conflicts', 'list', '--region', 'east');
    const [{ conflict = '' } = {}] = json['conflicts'] as { conflict?: string }[];
    const args = ['conflicts', 'restore', conflict, '--region', 'east'];
    expect(await run(...args)).toMatchObject({ json: { applied: false, fields: ['email'] } });
    expect(await run(...args, '--apply')).toMatchObject({ code: 0, json: { applied: true } });
    await regions.settle();
    for (const { table } of [regions.east, regions.west]) {
      expect((await table.get(ID))?.entity.email).toBe('east@example.com');
    }
    expect(await run(...args, '--apply')).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
    expect(await run(...args, '--apply', '--force')).toMatchObject({ code: 0 });
    expect(await run(...args, '--field', 'phoneNumber')).toMatchObject({ code: 2 });
  });

  test('restores nothing over what is written while it is at it', async () => {
    const { regions, run } = await createConflict();
    const { json } = await run('conflicts', 'list', '--region', 'east');
    const [{ conflict = '' } = {}] = json['conflicts'] as { conflict?: string }[];
    const { store } = regions.east;
    store.beforeCommit(async ({ table }) => {
      if (table !== customerKind.name) return;
      store.beforeCommit(() => undefined);
      await regions.east.openTable().patch(ID, { email: 'newest@example.com' });
    });
    const args = ['conflicts', 'restore', conflict, '--region', 'east', '--apply'];
    expect(await run(...args)).toMatchObject({
      code: 1,
      json: { error: { code: 'RECOVERY_REFUSED' } },
    });
    expect((await regions.east.table.get(ID))?.entity.email).toBe('newest@example.com');
  });
});

describe('tandem history', () => {
  test('tells what every archive has of one entity, oldest first', async () => {
    const { regions, run, runWith } = await createConflict();
    await regions.west.table.remove(ID);
    await regions.settle();
    const { json } = await run('history', ID);
    expect(json['entries']).toMatchObject([
      { operation: 'create', region: 'east', archives: ['east', 'west'] },
      { operation: 'patch', region: 'east', changedFields: ['email'] },
      { operation: 'patch', region: 'west', changedFields: ['email'] },
      { operation: 'delete', region: 'west', entity: null },
    ]);
    expect((await runWith({}, 'history', ID, '--region', 'west')).out).toContain('delete');
    expect(await run('history', ID.replace('0', '1'))).toMatchObject({ code: 3 });
  });
});

describe('tandem dead-letters', () => {
  const createPoisoned = async (
    body: Uint8Array = new TextEncoder().encode('not a change'),
  ): Promise<CliHarness> => {
    const harness = await createCliHarness();
    const { bus, drive, west } = harness.regions;
    const poison = ['one', 'two'].map((messageId) => ({
      messageId,
      subject: 'change-set' as const,
      body,
    }));
    await bus.publisherFor('west', 'west').publish(poison);
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    return harness;
  };

  test('lists them with their reasons, and shows what is in one', async () => {
    const { run, runWith } = await createPoisoned();
    const { code, json } = await run('dead-letters', 'list', '--region', 'west');
    expect({ code, count: json['count'] }).toEqual({ code: 3, count: 2 });
    const [letter] = json['deadLetters'] as { number: string }[];
    expect(letter).toMatchObject({ messageId: 'one', reason: 'CHANGE_UNDECODABLE' });
    const shown = await runWith(
      {},
      'dead-letters',
      'show',
      letter?.number ?? '',
      '--region',
      'west',
    );
    expect(shown.out).toContain('not a change');
    expect(await run('dead-letters', 'list', '--region', 'east')).toMatchObject({ code: 0 });
  });

  test('shows what is deflated as it was before', async () => {
    const plain = `{"wire":9,"text":"${'to be read '.repeat(50)}"}`;
    const { run } = await createPoisoned(deflateChangeSet(new TextEncoder().encode(plain)));
    const { json } = await run('dead-letters', 'list', '--region', 'west');
    const [letter] = json['deadLetters'] as { number: string }[];
    const shown = await run('dead-letters', 'show', letter?.number ?? '', '--region', 'west');
    expect(shown.json).toMatchObject({ reason: 'CHANGE_TOO_NEW', content: plain });
  });

  test('resubmits and discards those that are named, when told to', async () => {
    const { regions, run } = await createPoisoned();
    const at = ['--region', 'west'];
    const { json } = await run('dead-letters', 'list', ...at);
    const numbers = (json['deadLetters'] as { number: string }[]).map(({ number }) => number);
    const [first = '', second = ''] = numbers;
    expect(await run('dead-letters', 'discard', first, ...at)).toMatchObject({
      json: { applied: false },
    });
    expect(regions.bus.deadLettersOf('west')).toHaveLength(2);
    expect(await run('dead-letters', 'discard', first, ...at, '--apply')).toMatchObject({
      code: 0,
      json: { discarded: [first] },
    });
    expect(await run('dead-letters', 'resubmit', second, ...at, '--apply')).toMatchObject({
      code: 0,
      json: { resubmitted: [second] },
    });
    expect(regions.bus.deadLettersOf('west')).toHaveLength(0);
    await regions.settle();
    expect(regions.bus.deadLettersOf('west')).toHaveLength(1);
  });

  test.each([
    ['neither numbers nor all', ['discard'], '--all'],
    ['a number that is none', ['discard', 'x'], 'sequence number'],
  ])('refuses %s', async (_, args, text) => {
    const { runWith } = await createPoisoned();
    const { code, err } = await runWith({}, 'dead-letters', ...args, '--region', 'west');
    expect({ code, told: err.includes(text) }).toEqual({ code: 2, told: true });
  });
});
