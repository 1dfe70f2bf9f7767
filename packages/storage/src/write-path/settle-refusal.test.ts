import { describe, expect, test } from 'vitest';
import { settleRefusal } from './pending-write.ts';

const known = { id: 'known', isRemembered: false };
const remembered = { id: 'remembered', isRemembered: true };
const other = { id: 'other', isRemembered: true };

describe('the refusal of a group', () => {
  test('takes out the write that the store named and sends the others again', () => {
    expect(settleRefusal([known, remembered, other], 1, 1)).toEqual({
      refused: remembered,
      resubmitted: [known, other],
      doubtful: [],
    });
  });

  test('repeated, has every row read that was only remembered', () => {
    expect(settleRefusal([known, remembered, other], 1, 2)).toEqual({
      refused: remembered,
      resubmitted: [known],
      doubtful: [other],
    });
  });

  test('at no data row is none that a group can answer', () => {
    expect(settleRefusal([known], 1, 1)).toBeUndefined();
  });
});
