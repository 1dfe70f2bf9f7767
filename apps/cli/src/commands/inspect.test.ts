import {
  bucketOf,
  deflateChangeSet,
  encodeChangeSet,
  formatStamp,
  TransientError,
  writeEntity,
} from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { ARCHIVE_TABLE, createTableArchive } from '@tandem/storage';
import { createTableArchiveKeeper, emptyTable, MEMORY_BUCKET_COUNT } from '@tandem/storage/testing';
import { describe, expect, test } from 'vitest';
import { type CliHarness, type CliRun, createCliHarness } from '../testing/cli-harness.ts';
import { linesOf } from '../testing/lines-of.ts';

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
    const { code, json } = await run('history', ID);
    expect(code).toBe(0);
    expect(json['entries']).toMatchObject([
      { operation: 'create', region: 'east', archives: ['east', 'west'] },
      { operation: 'patch', region: 'east', changedFields: ['email'] },
      { operation: 'patch', region: 'west', changedFields: ['email'] },
      { operation: 'delete', region: 'west', entity: null },
    ]);
    // Each value that is set, with its type; of what is deleted there are none.
    const values = { email: ['String', 'base@example.com'], phoneNumber: ['String', '1'] };
    expect((json['entries'] as { values: unknown }[]).map((entry) => entry.values)).toEqual([
      values,
      { ...values, email: ['String', 'east@example.com'] },
      { ...values, email: ['String', 'west@example.com'] },
      null,
    ]);
    expect((await runWith({}, 'history', ID, '--region', 'west')).out).toContain('delete');
    const west = await run('history', ID, '--region', 'west');
    expect(west.json).toMatchObject({
      archiveFromMs: { west: null },
      entries: Array.from({ length: 4 }, () => ({ archives: ['west'] })),
    });
    expect(await run('history', ID.replace('0', '1'))).toMatchObject({ code: 3 });
  });

  test('tells a person when, where and what, and which archives have it', async () => {
    const { runWith } = await createConflict();
    const lines = linesOf((await runWith({}, 'history', ID)).out);
    const written = 'creationDigest, email, firstName, lastName, phoneNumber';
    expect(lines.slice(0, 4)).toEqual([
      'at | written in | operation | fields | archived in',
      `2026-01-01T00:00:00.000Z | east | create | ${written} | east, west`,
      '2026-01-01T00:00:07.000Z | east | patch | email | east, west',
      '2026-01-01T00:00:07.005Z | west | patch | email | east, west',
    ]);
    expect(lines.slice(4)).toEqual(['']);
    const other = ID.replace('0', '1');
    expect((await runWith({}, 'history', other)).out).toBe(
      `No archive has anything of ${other}.\n`,
    );
  });

  test('puts what only a later archive has where it belongs in time', async () => {
    const { regions, run } = await createConflict();
    await emptyTable(regions.east.store, ARCHIVE_TABLE);
    await regions.east.table.patch(ID, { firstName: 'Ada' });
    await regions.settle();
    const { json } = await run('history', ID);
    expect(json['entries']).toMatchObject([
      { operation: 'create', archives: ['west'] },
      { changedFields: ['email'], archives: ['west'] },
      { changedFields: ['email'], archives: ['west'] },
      { changedFields: ['firstName'], archives: ['east', 'west'] },
    ]);
  });

  test('says from when on an archive that was trimmed has every write, and nothing of one that was not', async () => {
    const { regions, run, runWith } = await createConflict();
    const fromMs = regions.clock.nowMs();
    await createTableArchiveKeeper(regions.west).raiseHorizon(customerKind.name, fromMs);
    expect((await run('history', ID)).json).toMatchObject({
      table: 'Customers',
      id: ID,
      archiveFromMs: { east: null, west: fromMs },
    });
    const time = new Date(fromMs).toISOString();
    const lines = linesOf((await runWith({}, 'history', ID)).out);
    expect(lines.slice(4)).toEqual([
      `The archive of west has every write since ${time}; older ones were trimmed.`,
      '',
    ]);
  });

  test('goes on to the end of what is more than a page, and shows a hundred to a person', async () => {
    const { regions, run, runWith } = await createCliHarness();
    const archive = createTableArchive(regions.east);
    const bucket = bucketOf(ID, MEMORY_BUCKET_COUNT);
    for (let counter = 0; counter <= 1_000; counter += 1) {
      const stamp = formatStamp({ timeMs: 1_000, counter, region: 'east', writer: 'w' });
      const value = { type: 'String', value: `${counter}` } as const;
      // Of a later version, which has one more column.
      const values = new Map(['email', 'later'].map((name) => [name, value] as const));
      const state = writeEntity(
        { kind: 'put', values },
        { stored: undefined, stamp, policy: 'field', mayTakeBase: true },
      );
      const changes = [{ entityId: ID, operation: 'replace' as const, state }];
      const set = { entityKind: customerKind.name, bucket, stamp, changes };
      await archive.append([{ set, encoded: encodeChangeSet(set) }]);
    }
    const entries = (await run('history', ID)).json['entries'] as { values: unknown }[];
    expect(entries).toHaveLength(1_001);
    expect(entries[7]?.values).toEqual({ email: ['String', '7'] });
    const { out } = await runWith({}, 'history', ID);
    expect(out).toContain('… and 901 more; --json lists all of them.');
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
    const lines = linesOf((await runWith({}, 'dead-letters', 'list', '--region', 'west')).out);
    expect(lines).toContain('number | since | reason | message | ids');
    expect(lines.filter((line) => line.includes('CHANGE_UNDECODABLE | one'))).toHaveLength(1);
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
    const plain = `{"wire":99,"text":"${'to be read '.repeat(50)}"}`;
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
      json: { applied: true, discarded: [first] },
    });
    expect(await run('dead-letters', 'resubmit', second, ...at, '--apply')).toMatchObject({
      code: 0,
      json: { resubmitted: [second] },
    });
    expect(regions.bus.deadLettersOf('west')).toHaveLength(0);
    await regions.settle();
    expect(regions.bus.deadLettersOf('west')).toHaveLength(1);
  });

  const at = ['--region', 'west'];
  const numbersIn = ({ json }: CliRun): readonly string[] =>
    (json['deadLetters'] as { number: string }[]).map(({ number }) => number);

  test('says so where there are none, and whose', async () => {
    const { runWith } = await createPoisoned();
    const { out } = await runWith({}, 'dead-letters', 'list', '--region', 'east');
    expect(out).toBe('There are no dead letters in east.\n');
  });

  test('lists fifty of them to a person, and counts the others', async () => {
    const harness = await createCliHarness();
    const { bus, drive, west } = harness.regions;
    const body = new TextEncoder().encode('poison');
    const poison = Array.from({ length: 51 }, (_, index) => ({
      messageId: `poison ${index}`,
      subject: 'change-set' as const,
      body,
    }));
    await bus.publisherFor('west', 'west').publish(poison);
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    const { out } = await harness.runWith({}, 'dead-letters', 'list', ...at);
    expect(out).toContain('poison 49');
    expect(out).not.toContain('poison 50');
    expect((await harness.run('dead-letters', 'list', ...at)).json).toMatchObject({ count: 51 });
  });

  test('names the entities of a letter, each once', async () => {
    const harness = await createCliHarness();
    const { bus, drive, east } = harness.regions;
    await east.table.put(ID, { email: 'a@example.com' });
    await drive(east.relayQueue.drain(harness.regions.clock.sleep(5_000)));
    const [message] = await drive(bus.receiverFor('west').receive(1, 1_000));
    if (message === undefined) throw new Error('nothing was sent');
    const settlement = { reason: 'SET_ASIDE', description: 'for the test' } as const;
    await bus.receiverFor('west').settle(message, { kind: 'dead-letter', ...settlement });
    const { json } = await harness.run('dead-letters', 'list', ...at);
    expect(json['deadLetters']).toMatchObject([
      { reason: 'SET_ASIDE', description: 'for the test', ids: [ID] },
    ]);
    const { out } = await harness.runWith({}, 'dead-letters', 'list', ...at);
    expect(out).toContain(ID);
  });

  test('shows the one that is asked for, with its reason, and knows which there are', async () => {
    const { run, runWith } = await createPoisoned();
    const [, second = ''] = numbersIn(await run('dead-letters', 'list', ...at));
    const { out } = await runWith({}, 'dead-letters', 'show', second, ...at);
    expect(out.split('\n')[0]).toBe(`${second} two`);
    expect(out.split('\n')[1]).toMatch(/^CHANGE_UNDECODABLE: ./u);
    const shown = await run('dead-letters', 'show', second, ...at);
    expect(shown.json).toMatchObject({ region: 'west', number: second, messageId: 'two' });
    const missing = await runWith({}, 'dead-letters', 'show', '99', ...at);
    expect(missing).toMatchObject({
      code: 2,
      err: expect.stringContaining('There is no dead letter 99 in west.'),
    });
  });

  test('names those that are not there, in the plan and after the act', async () => {
    const { regions, run, runWith } = await createPoisoned();
    const [first = ''] = numbersIn(await run('dead-letters', 'list', ...at));
    const args = ['dead-letters', 'resubmit', first, '98', '99', ...at];
    expect(await run(...args)).toMatchObject({
      code: 3,
      json: { applied: false, chosen: [{ number: first }], missing: ['98', '99'] },
    });
    const plan = await runWith({}, ...args);
    expect(plan.out).toBe(
      '1 would be resubmitted. Run it again with --apply. Not there: 98, 99.\n',
    );
    const done = await runWith({}, ...args, '--apply');
    expect(done).toMatchObject({ code: 3, out: '1 of 1 were resubmitted. Not there: 98, 99.\n' });
    expect(regions.bus.deadLettersOf('west')).toHaveLength(1);
  });

  test('shows what it would do with all of them, and is done with that', async () => {
    const { regions, run, runWith } = await createPoisoned();
    const args = ['dead-letters', 'discard', '--all', ...at];
    expect(await run(...args)).toMatchObject({ code: 0, json: { applied: false, missing: [] } });
    expect((await runWith({}, ...args)).out).toBe(
      '2 would be discarded. Run it again with --apply.\n',
    );
    expect(regions.bus.deadLettersOf('west')).toHaveLength(2);
  });

  test('throws all of them away only when the region is named once more', async () => {
    const { regions, run, runWith } = await createPoisoned();
    const args = ['dead-letters', 'discard', '--all', ...at, '--apply'];
    expect(await run(...args)).toMatchObject({ code: 2 });
    expect(await run(...args, '--confirm', 'east')).toMatchObject({ code: 2 });
    expect(regions.bus.deadLettersOf('west')).toHaveLength(2);
    const done = await runWith({}, ...args, '--confirm', 'west');
    expect(done).toMatchObject({ code: 0, out: '2 of 2 were discarded.\n' });
    // Of none nobody needs to be asked.
    expect(await run(...args)).toMatchObject({ code: 0, json: { discarded: [] } });
  });

  test('puts all of them back without asking, and those alone that it has seen', async () => {
    const { regions, run } = await createPoisoned();
    const args = ['dead-letters', 'resubmit', '--all', ...at, '--apply'];
    const { code, json } = await run(...args);
    expect({ code, count: (json['resubmitted'] as unknown[]).length }).toEqual({
      code: 0,
      count: 2,
    });
    expect(regions.bus.deadLettersOf('west')).toHaveLength(0);
  });

  test('says so when somebody else has them in hand', async () => {
    const { regions, runWith } = await createPoisoned();
    const viewer = regions.bus.viewerFor('west');
    const openQueue = () => ({ ...viewer, settle: async () => new Set<bigint>() });
    const args = ['dead-letters', 'resubmit', '--all', ...at, '--apply'];
    const run = await runWith({ openQueue }, ...args);
    expect(run).toMatchObject({ code: 3, out: '0 of 2 were resubmitted.\n' });
  });

  test.each([
    ['numbers and all', ['discard', '1', '--all'], '--all'],
    ['a number that is too long', ['discard', '1'.repeat(20)], 'sequence number'],
    ['a number with something before it', ['discard', 'x1'], 'sequence number'],
    ['a number with something behind it', ['discard', '1x'], 'sequence number'],
    ['neither numbers nor all', ['discard'], '--all'],
    ['a number that is none', ['discard', 'x'], 'sequence number'],
  ])('refuses %s', async (_, args, text) => {
    const { runWith } = await createPoisoned();
    const { code, err } = await runWith({}, 'dead-letters', ...args, '--region', 'west');
    expect({ code, told: err.includes(text) }).toEqual({ code: 2, told: true });
  });
});
