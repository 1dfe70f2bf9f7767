import type { FieldValue } from '@tandem/core';
import { customerKind } from '@tandem/core/customers';
import { createTableReplicationStatus } from '@tandem/storage';
import { describe, expect, test } from 'vitest';
import { type CliHarness, createCliHarness } from '../testing/cli-harness.ts';

const TABLE = customerKind.name;
const ID = '0199a1b2-0000-4000-8000-000000000001';
const YEAR_MS = 365 * 86_400_000;

async function put(
  { regions }: CliHarness,
  [partitionKey, rowKey]: readonly [string, string],
  columns: Readonly<Record<string, FieldValue>> = {},
): Promise<void> {
  const properties = new Map(Object.entries(columns));
  await regions.east.store.commit({
    table: TABLE,
    partitionKey,
    operations: [{ kind: 'upsert', rowKey, properties }],
  });
}

async function findingsOf(harness: CliHarness): Promise<readonly Record<string, string>[]> {
  const { json } = await harness.run('doctor');
  return json['findings'] as Record<string, string>[];
}

describe('A7: tandem damaged-rows', () => {
  test('shows a damaged outbox row, sets it aside with its bytes, and puts it back', async () => {
    const harness = await createCliHarness();
    const bytes = new Uint8Array([1, 2, 3]);
    await put(harness, ['00', '~o~x'], { payload0: { type: 'Binary', value: bytes } });
    const of = ['--region', 'east'];
    const row = `${TABLE}/00/~o~x`;
    const listed = await harness.run('damaged-rows', 'list', ...of);
    expect(listed).toMatchObject({
      code: 7,
      json: { count: 1, rows: [{ row, state: 'damaged' }] },
    });
    const shown = await harness.run('damaged-rows', 'show', row, ...of);
    expect(shown.json).toMatchObject({ columns: [['payload0', 'Binary', 'AQID']] });
    expect(await harness.run('damaged-rows', 'discard', row, ...of, '--apply')).toMatchObject({
      code: expect.not.toSatisfy((code: number) => code === 0),
    });

    const planned = await harness.run('damaged-rows', 'set-aside', row, ...of);
    expect(planned).toMatchObject({ code: 0, json: { applied: false } });
    const aside = `${TABLE}/00/~o~!x`;
    const moved = await harness.run('damaged-rows', 'set-aside', row, ...of, '--apply');
    expect(moved).toMatchObject({ code: 0, json: { now: aside } });
    // It is owed all the same: never flattering (I11).
    const risk = await harness.run('at-risk', ...of);
    expect(risk).toMatchObject({ code: 3, json: { unreadable: ['~o~!x'] } });

    const back = await harness.run('damaged-rows', 'put-back', aside, ...of, '--apply');
    expect(back).toMatchObject({ code: 0, json: { now: row } });
    const again = await harness.run('damaged-rows', 'show', row, ...of);
    expect(again.json).toMatchObject({ columns: [['payload0', 'Binary', 'AQID']] });
  });

  test('A8: lists what others wrote, and refuses a name that is none', async () => {
    const harness = await createCliHarness();
    await put(harness, ['tenant1', 'a'], { secret: { type: 'String', value: 'by hand' } });
    const listed = await harness.run('damaged-rows', 'list', '--region', 'east');
    expect(listed.json).toMatchObject({ rows: [{ row: `${TABLE}/tenant1/a`, state: 'foreign' }] });
    expect(listed.out).not.toContain('by hand');
    const wrong = await harness.run('damaged-rows', 'show', 'nothing', '--region', 'east');
    expect(wrong.code).toBe(2);
  });
});

describe('tandem damaged-rows tells a person', () => {
  const OF = ['--region', 'east'] as const;
  const ROW = `${TABLE}/00/~o~x`;

  async function withDamage(): Promise<CliHarness> {
    const harness = await createCliHarness();
    await put(harness, ['00', '~o~x'], {
      payload0: { type: 'Binary', value: new Uint8Array([1, 2, 3]) },
      count: { type: 'Int32', value: 5 },
      note: { type: 'String', value: 'a\u001b[31m' },
    });
    return harness;
  }

  test('that every row can be read, where it can', async () => {
    const harness = await createCliHarness();
    const listed = await harness.runWith({}, 'damaged-rows', 'list', ...OF);
    expect(listed).toMatchObject({ code: 0, out: 'Every row of east can be read.\n' });
  });

  test('which cannot, how many, and what is in one', async () => {
    const harness = await withDamage();
    const listed = await harness.runWith({}, 'damaged-rows', 'list', ...OF);
    expect(listed.out).toContain(ROW);
    expect(listed.out).toContain('\n1 in all.');
    const { out } = await harness.runWith({}, 'damaged-rows', 'show', ROW, ...OF);
    expect(out.trimEnd().split('\n').toSorted()).toEqual([
      'count Int32 5',
      'note String a\\u001b[31m',
      'payload0 Binary AQID',
    ]);
  });

  test('what would be done, what was, and under which key it lies then', async () => {
    const harness = await withDamage();
    const tell = async (...args: readonly string[]): Promise<string> =>
      (await harness.runWith({}, 'damaged-rows', ...args, ...OF)).out;
    const aside = `${TABLE}/00/~o~!x`;
    expect(await tell('set-aside', ROW)).toContain('Run it again with --apply.');
    expect(await tell('set-aside', ROW, '--apply')).toBe(`${ROW} was set aside: ${aside}.\n`);
    expect(await tell('put-back', aside, '--apply')).toBe(`${aside} was put back: ${ROW}.\n`);
    await tell('set-aside', ROW, '--apply');
    expect(await tell('discard', aside, '--apply')).toBe(`${aside} was deleted.\n`);
    expect(await tell('list')).toBe('Every row of east can be read.\n');
  });

  test.each([
    ['put-back', ROW, 'it was not set aside'],
    ['discard', ROW, 'it was not set aside'],
    ['set-aside', `${TABLE}/00/~o~!x`, 'it is aside already'],
    ['set-aside', `${TABLE}/~horizon/${TABLE}`, 'how far back its table goes'],
  ])('that %s of %s is refused, before it is done as when it is', async (verb, row, why) => {
    const harness = await withDamage();
    for (const act of [[], ['--apply']]) {
      const told = await harness.run('damaged-rows', verb, row, ...OF, ...act);
      expect(told).toMatchObject({ code: 1, err: expect.stringContaining(why) });
    }
    expect((await harness.run('damaged-rows', 'list', ...OF)).json).toMatchObject({
      rows: [{ row: ROW }],
    });
  });

  test('that what was deleted is nowhere', async () => {
    const harness = await withDamage();
    const { json } = await harness.run('damaged-rows', 'set-aside', ROW, ...OF, '--apply');
    const discarded = await harness.run(
      'damaged-rows',
      'discard',
      String(json['now']),
      ...OF,
      '--apply',
    );
    expect(discarded).toMatchObject({ code: 0, json: { applied: true, now: null } });
  });

  test.each([
    ['show', TABLE],
    ['show', `${TABLE}/00`],
    ['show', `${TABLE}/00/a/b`],
    ['show', `${TABLE}/00/none`],
    ['set-aside', `${TABLE}/00/none`],
  ])('%s of %s that it is no row', async (verb, row) => {
    const harness = await createCliHarness();
    const refused = await harness.run('damaged-rows', verb, row, ...OF);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining(row) });
  });
});

describe('tandem doctor and status', () => {
  test('A7: name a damaged outbox row and its remedy, and date nothing that has no date', async () => {
    const harness = await createCliHarness();
    await put(harness, ['00', '~o~x'], { payload0: { type: 'Binary', value: new Uint8Array(1) } });
    expect(await findingsOf(harness)).toContainEqual(
      expect.objectContaining({
        region: 'east',
        finding: expect.stringContaining(`${TABLE}/00/~o~x`),
        remedy: expect.stringContaining('tandem damaged-rows show'),
      }),
    );
    const { json } = await harness.run('status');
    expect(json['regions']).toMatchObject([
      { directions: [{ owedChanges: 1, owedAgeMs: null, owedUndated: 1 }] },
      {},
    ]);
    const { out } = await harness.runWith({}, 'status');
    expect(out).toContain('1 not dated');
  });

  test('A3: say that the clock of a replicator is a year ahead, and believe nothing of it', async () => {
    const harness = await createCliHarness();
    const nowMs = harness.regions.clock.nowMs();
    await createTableReplicationStatus({ store: harness.regions.east.store }).beat({
      nowMs: nowMs + YEAR_MS,
      catchingUpSinceMs: undefined,
      hasBacklog: false,
      peers: [{ peer: 'west', passedMs: nowMs + YEAR_MS, isReachable: true }],
      notices: [
        {
          kind: 'clock-ahead',
          subject: 'the clock of a replicator',
          detail: 'It is ahead.',
          count: 1,
          sinceMs: nowMs + YEAR_MS,
          lastMs: nowMs + YEAR_MS,
        },
      ],
    });
    const findings = await findingsOf(harness);
    expect(findings).toContainEqual(expect.objectContaining({ region: 'east', check: 'clock' }));
    expect(findings).toContainEqual(
      expect.objectContaining({ region: 'east', finding: expect.stringContaining('clock-ahead') }),
    );
    const { json } = await harness.run('status');
    expect(json['regions']).toMatchObject([
      {
        ready: false,
        reasons: [{ kind: 'replicator-not-heard', aheadMs: expect.any(Number) }],
        directions: [{ lagMs: null }],
      },
      {},
    ]);
  });

  test('A3: name a claim that was refused', async () => {
    const harness = await createCliHarness();
    const { clock, bus, west, drive } = harness.regions;
    const timeMs = clock.nowMs() + YEAR_MS;
    const body = new TextEncoder().encode(JSON.stringify({ wire: 1, from: 'east', timeMs }));
    await bus
      .publisherFor('west', 'west')
      .publish([{ messageId: 'm', subject: 'watermark', body }]);
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    await drive(west.replicator.beatOnce());
    expect((await west.status.read())?.peers[0]?.passedMs).toBeUndefined();
    expect(await findingsOf(harness)).toContainEqual(
      expect.objectContaining({
        region: 'west',
        finding: expect.stringContaining('claim-refused: east'),
        remedy: expect.stringContaining('NTP'),
      }),
    );
  });
});

describe('A4: tandem messages', () => {
  test('shows what waits, sets one aside with what is in it, and puts it back', async () => {
    const harness = await createCliHarness();
    const { east, west, bus, drive, clock } = harness.regions;
    await east.table.put(ID, { email: 'a@example.com' });
    await drive(east.relayQueue.drain(clock.sleep(5_000)));
    const of = ['--region', 'west'];
    const { json } = await harness.run('messages', 'list', ...of);
    const [message] = json['messages'] as { number: string; ids: string[] }[];
    expect(message?.ids).toEqual([ID]);
    const number = message?.number ?? '';
    expect(await harness.run('messages', 'show', number, ...of)).toMatchObject({
      code: 0,
      json: { content: expect.stringContaining(ID) },
    });
    expect(await harness.run('messages', 'set-aside', number, ...of)).toMatchObject({
      json: { applied: false },
    });
    expect(await harness.run('messages', 'set-aside', number, ...of, '--apply')).toMatchObject({
      code: 0,
      json: { setAside: [number], missing: [] },
    });
    expect(bus.deadLettersOf('west')).toMatchObject([{ reason: 'SET_ASIDE' }]);
    await harness.run('dead-letters', 'resubmit', '--all', ...of, '--apply');
    await drive(west.replicator.receiveOnce(new AbortController().signal));
    expect(await west.table.get(ID)).toBeDefined();
  });

  test('tells a person what waits, which entities it is about, and what would become of it', async () => {
    const harness = await createCliHarness();
    const { east, west, bus, drive, clock } = harness.regions;
    const tell = async (...args: readonly string[]): Promise<string> =>
      (await harness.runWith({}, 'messages', ...args, '--region', 'west')).out;
    expect(await tell('list')).toBe('No message waits in west.\n');
    const claim = { wire: 1, from: 'east', timeMs: clock.nowMs() };
    const body = new TextEncoder().encode(JSON.stringify(claim));
    await bus
      .publisherFor('west', 'west')
      .publish([{ messageId: 'mark', subject: 'watermark', body }]);
    for (const email of ['a@example.com', 'b@example.com']) await east.table.put(ID, { email });
    await drive(east.relayQueue.drain(clock.sleep(5_000)));
    const { json } = await harness.run('messages', 'list', '--region', 'west');
    const messages = json['messages'] as { number: string; messageId: string; ids: string[] }[];
    expect(json['count']).toBe(messages.length);
    expect(messages.map(({ ids }) => ids)).toEqual([[], ...messages.slice(1).map(() => [ID])]);
    const listed = await tell('list');
    for (const { number, messageId } of messages) {
      expect(listed).toContain(` ${number} `);
      expect(listed).toContain(messageId);
    }
    const { number = '', messageId } = messages.at(-1) ?? {};
    expect(await tell('show', number)).toMatch(new RegExp(`^${number} ${messageId}\n.*${ID}`));
    expect(await tell('set-aside', number, '999')).toBe(
      '1 of 2 would be set aside. Run it again with --apply.\n',
    );
    const { out } = await harness.runWith(
      {},
      'messages',
      'set-aside',
      number,
      '999',
      '--region',
      'west',
      '--apply',
    );
    expect(out).toBe("1 of 2 were set aside. Not found, or in the replicator's hand: 999.\n");
    expect(await west.table.get(ID)).toBeUndefined();
  });

  test.each(['x', '-1', '1.5', '1x', 'x1', '1'.repeat(20)])(
    'takes %s for no number of a message',
    async (number) => {
      const harness = await createCliHarness();
      const of = ['--region', 'west', '--apply', '--', number];
      const refused = await harness.run('messages', 'set-aside', ...of);
      expect(refused).toMatchObject({ code: 2, err: expect.stringContaining(`"${number}" is no`) });
    },
  );

  test('shows none that does not wait', async () => {
    const harness = await createCliHarness();
    const { code, err } = await harness.run('messages', 'show', '7', '--region', 'west');
    expect({ code, err }).toMatchObject({
      code: 2,
      err: expect.stringContaining('No message 7 waits in west'),
    });
  });

  test('says so of one that somebody has in hand', async () => {
    const harness = await createCliHarness();
    const { east, bus, drive, clock } = harness.regions;
    await east.table.put(ID, { email: 'a@example.com' });
    await drive(east.relayQueue.drain(clock.sleep(5_000)));
    const [held] = await drive(bus.receiverFor('west').receive(1, 1_000));
    const number = String(held?.sequenceNumber);
    const outcome = await harness.run(
      'messages',
      'set-aside',
      number,
      '--region',
      'west',
      '--apply',
    );
    expect(outcome).toMatchObject({ code: 3, json: { missing: [number] } });
  });
});
