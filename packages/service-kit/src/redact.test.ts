import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { serializeError } from './logger.ts';
import { redactLine } from './redact.ts';

const SECRET = 'hunter2+/==';
const JWT = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJlLWh1bnRlcjI';

function redacted(fields: unknown): string {
  const line = redactLine(JSON.stringify(fields));
  expect(() => void JSON.parse(line)).not.toThrow();
  return line;
}

describe('redaction', () => {
  test.each([
    ['at the top', { email: SECRET }],
    ['deep down', { a: { b: { c: { d: { firstName: SECRET } } } } }],
    ['in a list of objects', { customers: [{ lastName: SECRET }, { phoneNumber: SECRET }] }],
    ['in a header', { headers: { Authorization: `Bearer ${SECRET}` } }],
    ['in a list', { email: [SECRET, SECRET] }],
    ['with quotes and backslashes in it', { email: `"\\"${SECRET}"\\` }],
    ['in a setting', { ServiceBusConnection: `Endpoint=sb://x;SharedAccessKey=${SECRET}` }],
    ['in a text', { message: `Cannot use Endpoint=sb://x;SharedAccessKey=${SECRET};A=b` }],
    ['in a storage connection string', { stack: `AccountName=x;AccountKey=${SECRET};B=c` }],
    ['in a query', { url: `https://x/Devices?sv=2020&sig=${SECRET}&se=2026` }],
    ['in JSON quoted by a text', { message: `Body: ${JSON.stringify({ email: SECRET })}` }],
    ['in a token quoted by a text', { message: `sent Bearer ${SECRET} and failed` }],
  ])('a secret %s does not get through', (_, fields) => {
    const line = redacted(fields);
    expect(line).not.toContain('hunter2');
    expect(line).toContain('[redacted]');
  });

  test('a number that is personal does not get through', () => {
    expect(redacted({ phoneNumber: 15_550_100, count: 3 })).toBe(
      '{"phoneNumber":"[redacted]","count":3}',
    );
  });

  test('everything else is left alone', () => {
    const fields = {
      event: 'write-committed',
      entityId: 'customer-1',
      connections: 3,
      design: 'sig',
      note: 'the email was sent',
      problem: 'email: must match a pattern; ServiceBusConnection is missing',
      hasPassword: true,
      token: null,
      lockToken: '0199a1b2-c3d4-4e5f-8a9b-0123456789ab',
      stamp: '019a1b2c3d4e-0000-east-k3v9x2q7',
      at: 'file:///app/node_modules/.pnpm/@azure+data-tables@13.3.2/node_modules/@azure/data-tables/index.js:1:2',
      url: 'http://127.0.0.1:7710/customers?limit=5',
    };
    expect(redacted(fields)).toBe(JSON.stringify(fields));
  });

  test('a line ends as it ended, and what is no JSON is searched too', () => {
    expect(redactLine('{"email":"a@b.example"}\n')).toBe('{"email":"[redacted]"}\n');
    expect(redactLine(`{"email": sig=${SECRET}`)).not.toContain('hunter2');
  });
});

describe('G3: a secret does not get through', () => {
  const nested = JSON.stringify({ a: { 'Set-Cookie': [`s=${SECRET}; Path=/`] } });

  test.each<[string, unknown]>([
    ['below the telling name', { email: { value: SECRET } }],
    ['far below it', { customer: { phone_number: { a: [{ b: SECRET }] } } }],
    ['in a list of lists', { emails: [[SECRET]] }],
    ['as a cookie', { headers: { 'set-cookie': [`session=${SECRET}; HttpOnly`], Cookie: SECRET } }],
    [
      'as a token',
      { access_token: SECRET, refreshToken: SECRET, 'id-token': SECRET, sasToken: SECRET },
    ],
    [
      'as a key',
      { 'x-api-key': SECRET, primaryKey: SECRET, client_secret: SECRET, DB_PASSWORD: SECRET },
    ],
    [
      'as what signs',
      { signature: SECRET, sig: SECRET, privateKey: SECRET, clientAssertion: SECRET },
    ],
    ['as a raw token', { message: `the token ${JWT} is expired` }],
    ['as a token that is a name', { [JWT]: 1 }],
    ['in a URL', { url: `https://user:${SECRET.replaceAll('/', '')}@host.example/path` }],
    ['in a URL, with an at sign', { url: 'amqps://user:hun@hunter2@host.example:5671' }],
    [
      'in a query',
      { url: `https://x.example/?access_token=hunter2&code=hunter2&client_secret=hunter2` },
    ],
    ['in an encoded query', { target: 'redirect=https%3A%2F%2Fx%3Fsig%3Dhunter2%26se%3D1' }],
    ['in raw headers', { rawHeaders: ['Host', 'x', 'Authorization', SECRET, 'Cookie', SECRET] }],
    [
      'by name and value',
      {
        fields: [
          { name: 'email', value: SECRET },
          { key: 'Cookie', value: SECRET },
        ],
      },
    ],
    [
      'in printed headers',
      { message: `GET /\r\nAuthorization: Basic ${SECRET}\r\nCookie: a=${SECRET}` },
    ],
    ['in a printed object', { stack: `{ password: '${SECRET}', email: { value: '${SECRET}' } }` }],
    [
      'in a printed object, with brackets',
      { stack: `{ email: { a: '}${SECRET}', b: "]${SECRET}" } }` },
    ],
    ['in quoted JSON', { message: `Body: ${nested}` }],
    ['in JSON quoted twice', { message: `Body: ${JSON.stringify({ inner: nested })}` }],
    [
      'in JSON quoted thrice',
      { message: JSON.stringify({ a: JSON.stringify({ inner: nested }) }) },
    ],
    ['in quoted JSON that is cut off', { message: nested.slice(0, -4) }],
    ['after a colon', { message: `password: ${SECRET}, token: ${SECRET}` }],
    [
      'in a signature with spaces',
      { message: `SharedAccessSignature sr=x&sig=${SECRET}&se=1&skn=k` },
    ],
    ['as a person', { message: 'cannot write hunter2@example.com or hunter2%40example.com' }],
    [
      'as a key in PEM',
      { message: `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----` },
    ],
  ])('%s', (_, fields) => {
    const line = redacted(fields);
    expect(line).not.toContain('hunter2');
    expect(line).not.toContain('c2lnbmF0dXJl');
    expect(line).toContain('[redacted]');
  });

  test('in an error with whatever a library hangs on it', () => {
    const error = Object.assign(new Error(`401 for Authorization: Bearer ${SECRET}`), {
      details: {
        request: { headers: { Authorization: SECRET } },
        body: { email: { value: SECRET } },
      },
      config: { headers: { cookie: SECRET } },
      cause: Object.assign(new Error(`sent ${JWT}`), { details: { 'set-cookie': SECRET } }),
    });
    const line = redacted({ event: 'x', error: serializeError(error) });
    expect(line).not.toContain('hunter2');
    expect(line).not.toContain('c2lnbmF0dXJl');
  });

  test('however it is wrapped, and the line stays JSON', () => {
    const names = fc.constantFrom(
      'email',
      'Email',
      'first_name',
      'phone-number',
      'authorization',
      'Set-Cookie',
      'access_token',
      'idToken',
      'clientSecret',
      'x-api-key',
      'SharedAccessKey',
      'ServiceBusConnection',
      'password',
    );
    const shapes: readonly ((value: unknown, noise: string) => unknown)[] = [
      (value, noise) => ({ noise, value }),
      (value) => [value, 1, null],
      (value) => ({ list: [{ value }] }),
    ];
    const outer: readonly ((value: unknown, noise: string) => unknown)[] = [
      (value, noise) => ({ [`n${noise}`]: value }),
      (value, noise) => [noise, value],
      (value) => ({ message: `was ${JSON.stringify(value)} there` }),
    ];
    const wrapping = fc.record({
      name: names,
      inside: fc.array(fc.constantFrom(...shapes), { maxLength: 3 }),
      outside: fc.array(fc.constantFrom(...outer), { maxLength: 3 }),
      noise: fc.string({ unit: 'binary' }),
    });
    fc.assert(
      fc.property(wrapping, ({ name, inside, outside, noise }) => {
        const kept = inside.reduce<unknown>((value, wrap) => wrap(value, noise), `x${SECRET}`);
        const fields = outside.reduce<unknown>((value, wrap) => wrap(value, noise), {
          [name]: kept,
        });
        expect(redacted({ fields })).not.toContain('hunter2');
      }),
    );
  });

  test('in time, however long the line is', () => {
    const lines = [
      'a'.repeat(50_000),
      'a.'.repeat(25_000),
      'email:{'.repeat(8_000),
      '\\'.repeat(50_000),
      '@'.repeat(50_000),
      'https://'.repeat(5_000),
      'eyJ'.repeat(15_000),
    ];
    const startedMs = performance.now();
    for (const text of lines) redacted({ message: `token ${text} sig` });
    // It takes a fraction of a second; what grows with the square of the length takes minutes.
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  });
});
