import { describe, expect, test } from 'vitest';
import { TerminalError } from '../errors.ts';
import type { ChangeSet } from '../model/change-set.ts';
import { formatStamp } from '../time/stamp.ts';
import { type FailedSet, settlementOfSets } from './refusal.ts';

const STAMP = formatStamp({ timeMs: 1_000, counter: 0, region: 'east', writer: 'w' });
const STATE = { fields: new Map(), alive: STAMP, deleted: undefined, vector: new Map() };

function setOf(...entityIds: string[]): ChangeSet {
  const changes = entityIds.map((entityId) => ({
    entityId,
    operation: 'create' as const,
    state: STATE,
  }));
  return { entityKind: 'Gadgets', bucket: '00', stamp: STAMP, changes };
}

function unknownKind(set: ChangeSet): FailedSet {
  const what =
    'This region replicates no entity kind "Gadgets". Register it, then resubmit the message.';
  return { set, error: new TerminalError('ENTITY_KIND_UNKNOWN', what) };
}

function descriptionOf(failed: readonly FailedSet[], count: number): string {
  const settlement = settlementOfSets(failed, count);
  return settlement.kind === 'dead-letter' ? settlement.description : settlement.kind;
}

describe('a message of which some change sets have failed', () => {
  test('I10: names every entity that failed, though all of them failed for the same long reason', () => {
    const ids = Array.from({ length: 50 }, (_, n) => `gadget-${n}`);
    const description = descriptionOf(
      ids.map((id) => unknownKind(setOf(id))),
      51,
    );
    expect(description).toContain('50 of 51 change sets');
    for (const id of ids) expect(description).toContain(`"${id}"`);
    expect(description).toContain('Register it');
  });

  test('names of a set that was applied in part only what failed', () => {
    const error = new TerminalError('ENTITY_INVALID', 'No entity of Gadgets.', {
      details: { entityIds: ['bad'] },
    });
    const description = descriptionOf([{ set: setOf('good', 'bad'), error }], 2);
    expect(description).toContain('"bad"');
    expect(description).not.toContain('"good"');
  });

  test('is completed when none has, and tells of one that nobody can read', () => {
    expect(settlementOfSets([], 3)).toEqual({ kind: 'complete' });
    const error = new TerminalError('CHANGE_UNDECODABLE', 'The message is no change set.');
    expect(descriptionOf([{ error }], 3)).toContain('one that cannot be read');
  });
});
