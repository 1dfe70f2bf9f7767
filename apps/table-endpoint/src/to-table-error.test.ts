import { encodeOpenId, TerminalError, TransientError } from '@tandem/core';
import { TableError } from '@tandem/table-protocol';
import { describe, expect, it } from 'vitest';
import { toTableError } from './exchange.ts';

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('what a client is told', () => {
  it.each([
    [
      'two keys that are too long together',
      { partitionKey: 'p'.repeat(300), rowKey: 'r'.repeat(300) },
      'KeyValueTooLarge',
      /600 .* 502/,
    ],
    ['a key with a slash', { partitionKey: 'a/b', rowKey: '' }, 'OutOfRangeInput', /PartitionKey/],
  ] as const)('names of %s the precise code, with the figure', (_, keys, code, sentence) => {
    const error = toTableError(thrownBy(() => encodeOpenId('aaaaaaaa', keys)));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(sentence);
  });

  it.each([
    ['FIELD_TOO_LARGE', 'PropertyValueTooLarge'],
    ['FIELD_UNKNOWN', 'TooManyProperties'],
    ['FIELD_RESERVED', 'PropertyNameInvalid'],
    ['CHANGE_TOO_LARGE', 'EntityTooLarge'],
  ])('says why no region takes a row: %s is %s', (reason, code) => {
    const error = new TerminalError('TABLE_LIMIT_EXCEEDED', 'It is too much.', {
      details: { reason, index: 3 },
    });
    expect(toTableError(error)).toMatchObject({ code, operation: 3 });
  });

  it('says nothing of what is wrong inside, and asks to come again', () => {
    for (const error of [
      new TransientError('TABLE_THROTTLED', 'The account tandemeast is throttled.'),
      new TerminalError('TABLE_FORBIDDEN', 'The key of tandemeast is wrong.'),
    ]) {
      const told = toTableError(error);
      expect(told).toMatchObject({ code: 'ServerBusy', status: 503 });
      expect(told.message).not.toContain('tandemeast');
    }
    const unknown = new TransientError('TABLE_OUTCOME_UNKNOWN', 'tandemeast fell silent.');
    expect(toTableError(unknown)).toMatchObject({ code: 'OperationTimedOut', status: 500 });
    expect(toTableError(new Error('a bug'))).toMatchObject({ code: 'InternalError' });
    const own = new TableError('TableNotFound');
    expect(toTableError(own)).toBe(own);
  });
});
