import { RestError } from '@azure/core-rest-pipeline';
import { describe, expect, test } from 'vitest';
import { readRefusal } from './table-requests.ts';
import {
  CallTimedOut,
  outcomeOf,
  type TableCall,
  translateRefusal,
  translateThrown,
} from './translate-table-error.ts';

const READ: TableCall = { kind: 'read', table: 'Devices' };
const COMMIT: TableCall = { kind: 'commit', table: 'Devices' };

function json(code: string, message: string): string {
  return JSON.stringify({ 'odata.error': { code, message: { lang: 'en-US', value: message } } });
}

describe('an answer that refuses', () => {
  test.each([
    [429, 'TooManyRequests', 'TABLE_THROTTLED', 'TABLE_THROTTLED'],
    [503, 'ServerBusy', 'TABLE_THROTTLED', 'TABLE_THROTTLED'],
    [503, '', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
    [500, 'InternalError', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
    [500, 'OperationTimedOut', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
    [502, '', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
    [504, '', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
    [408, '', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
    [401, 'InvalidAuthenticationInfo', 'TABLE_FORBIDDEN', 'TABLE_FORBIDDEN'],
    [403, 'AuthorizationFailure', 'TABLE_FORBIDDEN', 'TABLE_FORBIDDEN'],
    [404, 'TableNotFound', 'TABLE_MISSING', 'TABLE_MISSING'],
    [409, 'TableBeingDeleted', 'TABLE_UNAVAILABLE', 'TABLE_UNAVAILABLE'],
    [400, 'EntityTooLarge', 'TABLE_LIMIT_EXCEEDED', 'TABLE_LIMIT_EXCEEDED'],
    [400, 'PropertyValueTooLarge', 'TABLE_LIMIT_EXCEEDED', 'TABLE_LIMIT_EXCEEDED'],
    [400, 'TooManyProperties', 'TABLE_LIMIT_EXCEEDED', 'TABLE_LIMIT_EXCEEDED'],
    [413, 'RequestBodyTooLarge', 'TABLE_LIMIT_EXCEEDED', 'TABLE_LIMIT_EXCEEDED'],
    [400, 'InvalidInput', 'TABLE_REQUEST_INVALID', 'TABLE_REQUEST_INVALID'],
    [501, 'NotImplemented', 'TABLE_UNAVAILABLE', 'TABLE_OUTCOME_UNKNOWN'],
  ])('%d %s is %s on a read and %s on a commit', (status, code, onRead, onCommit) => {
    const refusal = readRefusal(status, json(code, '0:Words of the service.\nRequestId:1'));
    expect(outcomeOf(refusal, 1)).toBeUndefined();
    expect(translateRefusal(refusal, READ)).toMatchObject({ code: onRead });
    expect(translateRefusal(refusal, COMMIT)).toMatchObject({ code: onCommit });
    expect(translateRefusal(refusal, COMMIT).message).toContain('Devices');
  });

  test.each([
    [409, 'EntityAlreadyExists', 'row-exists'],
    [412, 'UpdateConditionNotSatisfied', 'row-changed'],
    [412, 'ConditionNotMet', 'row-changed'],
    [404, 'ResourceNotFound', 'row-missing'],
    [404, 'EntityNotFound', 'row-missing'],
  ])('%d %s is the outcome %s, at the index that leads the message', (status, code, reason) => {
    const refusal = readRefusal(status, json(code, '17:Words.\nRequestId:1'));
    expect(outcomeOf(refusal, 100)).toEqual({ kind: 'refused', index: 17, reason });
    expect(outcomeOf(refusal, 1)).toEqual({ kind: 'refused', index: 0, reason });
  });

  test('a batch that does not say which operation it means gives no outcome', () => {
    const refusal = readRefusal(409, json('EntityAlreadyExists', 'The entity exists.'));
    expect(outcomeOf(refusal, 2)).toBeUndefined();
    expect(outcomeOf({ ...refusal, index: 2 }, 2)).toBeUndefined();
  });

  test('what was signed never appears in the message', () => {
    const xml =
      '<?xml version="1.0"?><m:error xmlns:m="http://x"><m:code>AuthenticationFailed</m:code>' +
      '<m:message xml:lang="en-US">Signature sig=secret did not match.\nTime</m:message></m:error>';
    const refusal = readRefusal(403, xml);
    expect(refusal.code).toBe('AuthenticationFailed');
    const error = translateRefusal(refusal, COMMIT);
    expect(JSON.stringify([error.message, error.details])).not.toContain('secret');
  });

  test.each([
    ['retry-after', '2', 2_000],
    ['x-ms-retry-after-ms', '250', 250],
    ['retry-after', 'soon', undefined],
  ])('%s: %s asks to wait %s ms', (name, value, retryAfterMs) => {
    const header = (asked: string) => (asked === name ? value : undefined);
    const refusal = readRefusal(429, '', header);
    expect(translateRefusal(refusal, READ).retryAfterMs).toBe(retryAfterMs);
  });
});

describe('no answer', () => {
  const failure = (code: string, message = code) => new RestError(message, { code });

  test.each([
    ['a time-out', new CallTimedOut('no answer within 5 ms'), 'TABLE_OUTCOME_UNKNOWN'],
    ['a reset', failure('ECONNRESET', 'socket hang up'), 'TABLE_OUTCOME_UNKNOWN'],
    ['a broken pipe', failure('EPIPE'), 'TABLE_OUTCOME_UNKNOWN'],
    ['half an answer', failure('PARSE_ERROR', 'aborted'), 'TABLE_OUTCOME_UNKNOWN'],
    ['anything else', new Error('odd'), 'TABLE_OUTCOME_UNKNOWN'],
    ['a refused connection', failure('ECONNREFUSED', ''), 'TABLE_UNAVAILABLE'],
    ['an unknown host', failure('ENOTFOUND'), 'TABLE_UNAVAILABLE'],
    ['a silent name server', failure('EAI_AGAIN'), 'TABLE_UNAVAILABLE'],
    ['no connection in time', failure('ETIMEDOUT', 'connect ETIMEDOUT ::1'), 'TABLE_UNAVAILABLE'],
    ['no token', named('CredentialUnavailableError'), 'TABLE_UNAVAILABLE'],
    ['no answer for a token', named('AuthenticationError', 503), 'TABLE_UNAVAILABLE'],
    ['a refused identity', named('AuthenticationError', 401), 'TABLE_FORBIDDEN'],
  ])('%s on a commit', (_, error, code) => {
    expect(translateThrown(error, COMMIT)).toMatchObject({ code, cause: error });
    const onRead = code === 'TABLE_OUTCOME_UNKNOWN' ? 'TABLE_UNAVAILABLE' : code;
    expect(translateThrown(error, READ)).toMatchObject({ code: onRead });
  });

  function named(name: string, statusCode?: number): Error {
    return Object.assign(new Error(name), { name, statusCode });
  }
});
