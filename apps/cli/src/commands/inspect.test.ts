import { deflateChangeSet, TransientError } from '@tandem/core';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const ID = '00b479c9-f61f-451a-86d2-ee8cc047c181';

async function createConflict(field = 'email', lost = 'east@example.com'): Promise<CliHarness> {
  const harness = await createCliHarness();
  const { regions } = harness;
  await regions.east.table.put(ID, { email: 'base@example.com', phoneNumber: '1' });
  await regions.settle();
  await regions.east.table.patch(ID, { [field]: lost });
  await regions.clock.advance(5);
  await regions.west.table.patch(ID, { [field]: 'west@example.com' });
  await regions.settle();
  return harness;
}

describe('B4: what others wrote', () => {
  /** Clears the screen, sets the title, turns the direction, forges a line: raw, in C1 and beyond. */
  const EVIL = 'x\u001B[2J\u001B]0;owned\u0007\u009B31m\u202Egro\nNothing to repair.\u2028\u0085';
  const OBEYED = /(?!\n)[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/u;
  const isWhole = ({ out, err }: { out: string; err: string }): boolean =>
    !OBEYED.test(out + err) && !/^Nothing to repair/m.test(out + err);

  test('is shown as escapes by conflicts, and stays one line of JSON', async () => {
    const { run, runWith } = await createConflict('lastName', EVIL);
    const at = ['--region', 'east'];
    const listed = await run('conflicts', 'list', ...at);
    const [{ conflict = '' } = {}] = listed.json['conflicts'] as { conflict?: string }[];
    const shown = await runWith({}, 'conflicts', 'show', conflict, ...at);
    expect(shown.out).toContain('x\\u001b[2J\\u001b]0;owned\\u0007\\u009b31m\\u202egro\\nNothing');
    expect(isWhole(shown)).toBe(true);
    const json = await run('conflicts', 'show', conflict, ...at);
    expect(isWhole(json)).toBe(true);
    expect(json.out.trimEnd().split('\n')).toHaveLength(1);
    expect(json.json['fields']).toMatchObject([{ lost: { value: ['String', EVIL] } }]);
  });

  test('is shown as escapes of dead letters, their ids and their content', async () => {
    const { regions, runWith, run } = await createCliHarness();
    const poison = { messageId: EVIL, subject: 'change-set' as const };
    const body = new TextEncoder().encode(EVIL);
    await regions.bus.publisherFor('west', 'west').publish([{ ...poison, body }]);
    await regions.drive(regions.west.replicator.receiveOnce(new AbortController().signal));
    const at = ['--region', 'west'];
    const { json } = await run('dead-letters', 'list', ...at);
    const [{ number = '' } = {}] = json['deadLetters'] as { number?: string }[];
    for (const args of [['list'], ['show', number]]) {
      for (const shown of [
        await runWith({}, 'dead-letters', ...args, ...at),
        await run('dead-letters', ...args, ...at),
      ]) {
        expect(shown.out + shown.err).toContain('owned');
        expect(isWhole(shown)).toBe(true);
      }
    }
  });

  test.each([
    ['a command', [EVIL]],
    ['an option', ['verify', `--${EVIL}`]],
    ['a region', ['at-risk', '--region', EVIL]],
    ['a setting', ['config', 'get', EVIL, '--region', 'east']],
    ['an id', ['history', EVIL]],
    ['a conflict', ['conflicts', 'show', EVIL, '--region', 'east']],
    ['a dead letter', ['dead-letters', 'show', EVIL, '--region', 'east']],
    ['a table', ['replay', '--from', 'east', '--table', EVIL, '--apply']],
    ['a time', ['replay', '--from', 'east', '--in-place', '--before', EVIL]],
  ])('is shown as escapes in the error about %s', async (_what, args) => {
    const { runWith } = await createCliHarness();
    const outcome = await runWith({}, ...args);
    expect(outcome.code).toBe(2);
    expect(isWhole(outcome)).toBe(true);
  });

  test('is shown as escapes while a command goes on', async () => {
    const { regions, runWith } = await createCliHarness();
    const stop = new AbortController();
    const lines: string[] = [];
    const err = (text: string): void => {
      lines.push(text);
      const outage = new TransientError('TABLE_UNAVAILABLE', `West: ${EVIL}`);
      regions.west.store.setOutage(lines.length === 1 ? outage : undefined);
      if (lines.length === 3) stop.abort();
    };
    await runWith({ err, signal: stop.signal }, 'verify', '--every', '10s');
    expect(lines[1]).toContain('not compared now: West: x\\u001b[2J');
    expect(isWhole({ out: '', err: lines.join('') })).toBe(true);
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
