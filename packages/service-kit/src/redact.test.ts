import { describe, expect, test } from 'vitest';
import { redactLine } from './redact.ts';

const SECRET = 'hunter2+/==';

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
    ['in a query', { url: `https://x/Customers?sv=2020&sig=${SECRET}&se=2026` }],
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
    };
    expect(redacted(fields)).toBe(JSON.stringify(fields));
  });
});
