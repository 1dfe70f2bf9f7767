import { describe, expect, it } from 'vitest';
import { createLedger } from './ledger.ts';

const at = (body: number, sequenceNumber = body, deliveryCount = 0) => ({
  body,
  sequenceNumber,
  deliveryCount,
});

describe('the ledger of a crash run', () => {
  it('finds a message that was accepted and is gone', () => {
    const ledger = createLedger();
    ledger.sending(1);
    ledger.accepted(1);
    expect(ledger.check([at(1)])).toEqual([]);
    expect(ledger.check([])).toEqual(['1 is lost']);
  });

  it('owes what it has found, though its sender got no answer', () => {
    const ledger = createLedger();
    ledger.sending(1);
    expect(ledger.check([])).toEqual([]);
    expect(ledger.check([at(1)])).toEqual([]);
    expect(ledger.check([])).toEqual(['1 is lost']);
  });

  it('finds a message that was completed and has come back', () => {
    const ledger = createLedger();
    ledger.accepted(1);
    ledger.completing(1);
    expect(ledger.check([])).toEqual([]);
    ledger.completed(1);
    expect(ledger.check([at(1)])).toEqual(['1 has come back']);
  });

  it('finds a number that is used again, and one that changes', () => {
    const ledger = createLedger();
    ledger.seen(at(1, 7));
    expect(ledger.check([at(2, 7)])).toEqual(['7 is the number of 1 and 2']);
    expect(ledger.check([at(1, 8), at(2, 7)])).toContain('1 had the number 7 and has 8');
  });

  it('finds a delivery count that was forgotten', () => {
    const ledger = createLedger();
    ledger.abandoned(1);
    expect(ledger.check([at(1, 1, 0)])).toEqual(['1 was given back 1 times and counts 0']);
    expect(ledger.check([at(1, 1, 1)])).toEqual([]);
  });
});
