import { describe, expect, it } from 'vitest';
import {
  type DemoReport,
  describeFaults,
  hasSucceeded,
  toJsonLine,
  toTable,
} from './demo-report.ts';

const GOOD: DemoReport = {
  comparedIn: ['west'],
  written: new Map(['a', 'm', 'd'].map((id) => [id, { email: id }])),
  kind: 'customers',
  writeMs: 1_000,
  notAcknowledged: { count: 0, reasons: [] },
  comparison: { equalCount: 3, missing: new Set(), different: new Map(), extra: new Set() },
  totalMs: 2_000,
  lagsMs: [10.4, 20.6, 400.2],
};

const FAILED: DemoReport = {
  ...GOOD,
  comparison: {
    equalCount: 1,
    missing: new Set(['m']),
    different: new Map([['d', ['email', 'lastName']]]),
    extra: new Set(['e']),
  },
};

describe('the report', () => {
  it('is one line of JSON with the agreed names', () => {
    expect(toJsonLine(GOOD)).toBe(
      '{"written":3,"replicated":3,"missing":0,"different":0,"lagMsP50":21,"lagMsP99":400,"extra":0,"notAcknowledged":0}',
    );
  });

  it('has what the clients saw of the outage when there was one', () => {
    const failOver = { lost: 'east', outageMs: 2_900.4, failedRequests: 40, retriedWrites: 32 };
    expect(JSON.parse(toJsonLine({ ...GOOD, failOver }))).toMatchObject({
      failOver: { outageMs: 2_900, failedRequests: 40, retriedWrites: 32 },
    });
    expect(toTable({ ...GOOD, failOver })).toContain('2,900 ms');
  });

  it('adds up: written = replicated + missing + different', () => {
    const { written, replicated, missing, different } = JSON.parse(toJsonLine(FAILED));
    expect(replicated + missing + different).toBe(written);
  });

  it('counts orders, and the transactions of which a part is there', () => {
    const orders = { a: ['0', '1'], m: ['0', '1', '2'], d: ['0', '1', '2', '3'] };
    const written = new Map(
      Object.entries(orders).map(([id, names]) => [
        id,
        Object.fromEntries(names.map((name) => [name, 'pump'])),
      ]),
    );
    const different = new Map([['d', ['3']]]);
    const comparison = { ...FAILED.comparison, different };
    const report: DemoReport = { ...FAILED, kind: 'orders', written, comparison };
    expect(JSON.parse(toJsonLine(report))).toMatchObject({
      written: 9,
      replicated: 5,
      missing: 3,
      different: 1,
      transactions: { written: 3, torn: 1 },
    });
    expect(toTable(report)).toContain('3, 1');
    expect(hasSucceeded(report)).toBe(false);
  });

  it('has null for a lag that was not measured', () => {
    expect(JSON.parse(toJsonLine({ ...GOOD, lagsMs: [] }))).toMatchObject({ lagMsP50: null });
    expect(toTable({ ...GOOD, lagsMs: [] })).toContain('not measured');
  });

  it.each([
    ['missing', { ...GOOD.comparison, missing: new Set(['a']) }],
    ['different', { ...GOOD.comparison, different: new Map([['a', ['email'] as const]]) }],
    ['extra', { ...GOOD.comparison, extra: new Set(['a']) }],
  ])('is no success with a customer that is %s', (_kind, comparison) => {
    expect(hasSucceeded({ ...GOOD, comparison })).toBe(false);
  });

  it('is no success when something was not acknowledged', () => {
    const notAcknowledged = { count: 1, reasons: ['503'] };
    expect(hasSucceeded({ ...GOOD, notAcknowledged })).toBe(false);
    expect(hasSucceeded(GOOD)).toBe(true);
  });

  it('names a few of those that went wrong, by id and field', () => {
    expect(describeFaults(FAILED)).toEqual([
      'Missing: m',
      'Different: d (email, lastName)',
      'Nobody wrote: e',
    ]);
    expect(describeFaults(GOOD)).toEqual([]);
  });
});
