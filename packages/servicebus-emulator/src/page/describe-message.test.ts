import { describe, expect, it } from 'vitest';
import { encodeValues, types } from '../amqp/rhea-internals.ts';
import { SECTION } from '../message/sections.ts';
import type { StoredMessage } from '../store/message-store.ts';
import { describeMessage } from './describe-message.ts';

const BYTES_MAX = 100;

function section(code: number, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0x00, 0x53, code]), value]);
}

const describePayload = (...sections: Buffer[]) =>
  describeMessage({ payload: Buffer.concat(sections) } as StoredMessage, BYTES_MAX);

/** An array that claims four thousand million items, each of no byte. */
const BOMB = Buffer.from([0xf0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40]);

describe('a message that is shown', () => {
  it.each([
    ['text', types.wrap_string('héllo'), 'héllo', 'text'],
    ['a number', types.wrap_int(-7), '-7', 'text'],
    ['a truth', types.wrap_boolean(true), 'true', 'text'],
    ['bytes', types.wrap_binary(Buffer.from([0xff])), 'ff', 'bytes in hex'],
    ['a list', types.wrap_list([1, 2]), '', 'not taken apart'],
  ] as const)('has a body that is %s', (_, value, text, form) => {
    const { body } = describePayload(section(SECTION.value, encodeValues([value])));
    expect(body).toMatchObject({ text, form });
  });

  it.each([
    ['of a kind that there is not', Buffer.from([0x5f, 0x00]), '', 'unreadable'],
    [
      'a time beyond every calendar',
      Buffer.from([0x83, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
      'a time beyond every calendar',
      'text',
    ],
  ] as const)('keeps no other from being shown with a body that is %s', (_, bytes, text, form) => {
    expect(describePayload(section(SECTION.value, bytes)).body).toMatchObject({ text, form });
  });

  it('takes no array, list or map of a client apart', () => {
    const message = describePayload(
      section(SECTION.properties, Buffer.concat([Buffer.from([0xc0, BOMB.length + 1, 1]), BOMB])),
      section(
        SECTION.applicationProperties,
        Buffer.concat([Buffer.from([0xc1, BOMB.length + 4, 2, 0xa1, 1, 0x6b]), BOMB]),
      ),
      section(SECTION.value, BOMB),
    );
    expect(message).toEqual({
      messageId: '',
      properties: [['k', '(not taken apart)']],
      body: { text: '', form: 'not taken apart', bytes: BOMB.length, isCut: false },
    });
  });

  it('has the first of many properties, whatever their number says', () => {
    const items = Buffer.concat(
      Array.from({ length: 60 }, () => Buffer.from([0xa1, 1, 0x6b, 0x41])),
    );
    const head = Buffer.alloc(9);
    head[0] = 0xd1;
    head.writeUInt32BE(items.length + 4, 1);
    head.writeUInt32BE(0xff_ff_ff_ff, 5);
    const many = describePayload(
      section(SECTION.applicationProperties, Buffer.concat([head, items])),
    );
    expect(many.properties).toHaveLength(20);
  });

  it('is cut between two characters', () => {
    const text = `${'x'.repeat(BYTES_MAX - 1)}ü`;
    const { body } = describePayload(
      section(SECTION.data, encodeValues([types.wrap_binary(Buffer.from(text))])),
    );
    expect(body).toEqual({ text: 'x'.repeat(99), form: 'text', bytes: 101, isCut: true });
  });

  it('is said to be unreadable where it is no message', () => {
    expect(describePayload(Buffer.from([0x00, 0x53])).body.form).toBe('unreadable');
    const short = section(SECTION.applicationProperties, Buffer.from([0xc1, 1, 9]));
    expect(describePayload(short).body.form).toBe('unreadable');
  });
});
