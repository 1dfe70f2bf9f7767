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
