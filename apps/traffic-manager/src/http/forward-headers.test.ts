import { describe, expect, it } from 'vitest';
import { answerHeaders, requestHeaders } from './forward-headers.ts';

const REQUEST = {
  method: 'PUT',
  clientAddress: '192.0.2.7',
  protocol: 'http',
  host: 'customers.example',
};

describe('headers of a forwarded request', () => {
  it('name the client, the protocol and the host, and keep the host', () => {
    expect(requestHeaders({ host: 'east:8081', accept: 'x' }, REQUEST)).toEqual({
      accept: 'x',
      host: 'customers.example',
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'customers.example',
    });
  });

  it('append the client to the hops before it', () => {
    const headers = requestHeaders({ 'x-forwarded-for': '198.51.100.1' }, REQUEST);
    expect(headers['x-forwarded-for']).toBe('198.51.100.1, 192.0.2.7');
  });

  it.each(['connection', 'keep-alive', 'te', 'transfer-encoding', 'upgrade', 'expect'])(
    'leave out %s, which is for this connection only',
    (name) => {
      expect(requestHeaders({ [name]: 'x' }, REQUEST)).not.toHaveProperty(name);
    },
  );

  it.each([
    ['GET', undefined],
    ['HEAD', undefined],
    ['PUT', '5'],
  ])('of a %s have the content length %s', (method, expected) => {
    const headers = requestHeaders({ 'content-length': '5' }, { ...REQUEST, method });
    expect(headers['content-length']).toBe(expected);
  });
});

describe('headers of an answer', () => {
  it('name the endpoint, whatever the endpoint itself says, and end those of its connection', () => {
    const headers = answerHeaders(
      { etag: '"1"', 'x-tandem-endpoint': 'other', connection: 'close', 'keep-alive': 'timeout=5' },
      'east',
    );
    expect(headers).toEqual({ etag: '"1"', 'x-tandem-endpoint': 'east' });
  });
});
