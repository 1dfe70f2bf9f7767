import { describe, expect, it } from 'vitest';
import { decodeText, readConfigFile } from './config-file.ts';

const file = (namespace: object) =>
  JSON.stringify({ UserConfig: { Namespaces: [{ Name: 'sbemulatorns', ...namespace }] } });

describe('a Config.json', () => {
  it('declares queues with their settings', () => {
    const Properties = {
      LockDuration: 'PT30S',
      MaxDeliveryCount: 3,
      RequiresSession: true,
      DeadLetteringOnMessageExpiration: false,
      ForwardTo: '',
    };
    const text = file({ Queues: [{ Name: 'queue.1', Properties }, { Name: 'plain' }], Topics: [] });
    expect(readConfigFile(text)).toEqual({
      kind: 'read',
      queues: [
        {
          name: 'queue.1',
          lockDurationMs: 30_000,
          maxDeliveryCount: 3,
          requiresSession: true,
          deadLetterOnExpiration: false,
        },
        { name: 'plain' },
      ],
      namespaces: [],
    });
  });

  it('may name several namespaces', () => {
    const Namespaces = [
      { Name: 'east', Queues: [{ Name: 'a' }] },
      { Name: 'west', Queues: [{ Name: 'b' }] },
    ];
    expect(readConfigFile(JSON.stringify({ UserConfig: { Namespaces } }))).toEqual({
      kind: 'read',
      queues: [{ name: 'a' }],
      namespaces: [{ name: 'west', queues: [{ name: 'b' }] }],
    });
  });

  it.each([
    ['text that is no JSON', '{', 'no JSON'],
    ['another document', '{}', 'UserConfig'],
    ['no namespace', '{"UserConfig":{"Namespaces":[]}}', 'must hold a namespace'],
    ['a namespace without a name', '{"UserConfig":{"Namespaces":[{}]}}', 'no Name'],
    ['topics', file({ Topics: [{ Name: 't' }] }), 'no topics'],
    ['a queue without a name', file({ Queues: [{}] }), 'no Name'],
    [
      'a setting that cannot be',
      file({ Queues: [{ Name: 'q', Properties: { LockDuration: 'soon' } }] }),
      "Queue 'q': LockDuration",
    ],
    [
      'forwarding',
      file({ Queues: [{ Name: 'q', Properties: { ForwardTo: 'other' } }] }),
      'ForwardTo',
    ],
  ])('is refused with a reason: %s', (_, text, reason) => {
    expect(readConfigFile(text)).toMatchObject({
      kind: 'invalid',
      problem: expect.stringContaining(reason) as string,
    });
  });
});

describe('a file of a flag', () => {
  const text = '{"UserConfig":"Zoë"}\r\n';

  it.each([
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\uFEFF${text}`)],
    ['UTF-16, little end first', Buffer.from(`\uFEFF${text}`, 'utf16le')],
    ['UTF-16, big end first', Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()],
  ])('B8: is read as it was saved: %s', (_, bytes) => expect(decodeText(bytes)).toBe(text));

  it.each([
    ['UTF-16 without a mark', Buffer.from(text, 'utf16le')],
    ['Latin 1', Buffer.from(text, 'latin1')],
  ])('B8: is no text in %s', (_, bytes) => expect(decodeText(bytes)).toBeUndefined());
});
