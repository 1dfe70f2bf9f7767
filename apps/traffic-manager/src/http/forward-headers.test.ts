import { describe, expect, it } from 'vitest';
import { answerHeaders, requestHeaders } from './proxy-plugin.ts';

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

describe('G2: headers that the connection names', () => {
  it('end here, in both directions (RFC 9110, 7.6.1)', () => {
    const headers = {
      connection: 'close, X-Hop,  x-other , upgrade',
      'x-hop': '1',
      'x-other': '2',
      'x-kept': '3',
    };
    const forwarded = requestHeaders(headers, REQUEST);
    expect(forwarded).toMatchObject({ 'x-kept': '3' });
    expect(Object.keys(forwarded)).not.toContain('x-hop');
    expect(Object.keys(forwarded)).not.toContain('x-other');
    expect(answerHeaders(headers, 'east')).toEqual({ 'x-kept': '3', 'x-tandem-endpoint': 'east' });
  });

  it('may be earlier hops, which are then forgotten, but never the length or the host', () => {
    const headers = {
      connection: 'x-forwarded-for, content-length, host, authorization',
      'x-forwarded-for': '198.51.100.1',
      'content-length': '5',
      authorization: 'Bearer a',
    };
    expect(requestHeaders(headers, REQUEST)).toEqual({
      'content-length': '5',
      host: 'customers.example',
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-host': 'customers.example',
      'x-forwarded-proto': 'http',
    });
  });

  it.each(['proxy-authorization', 'proxy-connection', 'proxy-authenticate', 'proxy-anything'])(
    'are not forwarded, nor is %s',
    (name) => {
      expect(requestHeaders({ [name]: 'x' }, REQUEST)).not.toHaveProperty(name);
      expect(answerHeaders({ [name]: 'x' }, 'east')).not.toHaveProperty(name);
    },
  );
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
