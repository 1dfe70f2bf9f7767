import rhea from 'rhea';
import { describe, expect, it } from 'vitest';
import { storedMessage } from '../testing/message-store-contract.ts';
import { ensureMessageId, setApplicationProperties } from './edit-message.ts';
import { readBatch, readMessage, writeMessage } from './message-codec.ts';
import { DecodeError, findSections } from './sections.ts';

const { message: codec, types } = rhea;
const encode = (message: Record<string, unknown>): Buffer => Buffer.from(codec.encode(message));

const decode = (bytes: Buffer) => codec.decode(bytes);

describe('readMessage', () => {
  it('keeps properties, application properties and body byte for byte', () => {
    const bare = encode({
      message_id: 'id',
      application_properties: { long: types.wrap_long(5), byte: types.wrap_byte(-1) },
      body: codec.data_section(Buffer.alloc(1_000, 'x')),
    });
    // The encoder puts an empty header in front.
    const { payload } = readMessage(bare);
    expect(bare.subarray(-payload.length)).toEqual(payload);
    expect(findSections(payload).map((section) => section.code)).toEqual([0x73, 0x74, 0x75]);
  });

  it('takes time to live and annotations out, without those that only a broker sets', () => {
    const { timeToLiveMs, annotations, payload } = readMessage(
      encode({
        ttl: 5_000,
        delivery_annotations: { dropped: 1 },
        message_annotations: { 'x-opt-partition-key': 'p', 'x-opt-sequence-number': 9, own: 1 },
        body: 'b',
      }),
    );
    expect(timeToLiveMs).toBe(5_000);
    const sent = writeMessage(storedMessage(3, { annotations, payload }));
    expect(decode(sent)['message_annotations']).toMatchObject({
      'x-opt-partition-key': 'p',
      'x-opt-sequence-number': 3,
      own: 1,
    });
    expect(decode(sent)['delivery_annotations']).toBeUndefined();
  });

  it('refuses bytes that are no message, wherever they break off', () => {
    const whole = encode({ message_id: 'id', subject: 'subject', body: 'body' });
    const ends = new Set(findSections(whole).map((section) => section.end));
    const lengths = Array.from({ length: whole.length }, (_, index) => index + 1);
    for (const length of lengths.filter((candidate) => !ends.has(candidate))) {
      expect(() => readMessage(whole.subarray(0, length)), `${length} bytes`).toThrow(DecodeError);
    }
    for (const end of ends) expect(readMessage(whole.subarray(0, end))).toBeDefined();
    const badType = Buffer.from([0x00, 0x53, 0x70, 0xc0, 2, 1, 0x01]);
    expect(() => readMessage(badType)).toThrow(DecodeError);
    expect(() => readMessage(Buffer.from('plain text'))).toThrow(DecodeError);
  });
});

describe('readBatch', () => {
  it('finds the messages in the data sections', () => {
    const messages = [{ body: 'a' }, { body: 'x'.repeat(300), ttl: 7 }].map(encode);
    const batch = encode({ body: codec.data_sections(messages) });
    const read = readBatch(batch);
    expect(read.map(({ payload }) => decode(payload)['body'] as unknown)).toEqual([
      'a',
      'x'.repeat(300),
    ]);
    expect(read.map((message) => message.timeToLiveMs)).toEqual([undefined, 7]);
  });

  it('finds nothing in a batch without data sections', () => {
    expect(readBatch(encode({ body: 'no data section' }))).toEqual([]);
  });
});

describe('writeMessage', () => {
  it('tells a receiver what the broker knows', () => {
    const { payload } = readMessage(encode({ message_id: 'id', body: 'b' }));
    const stored = storedMessage(2 ** 40 + 1, {
      payload,
      deliveryCount: 3,
      timeToLiveMs: 1_500,
      state: 'deferred',
      enqueuedSequenceNumber: 4,
    });
    const token = Buffer.from('33221100554477668899aabbccddeeff', 'hex');
    const message = decode(writeMessage(stored, { token, expiresAtMs: 1_700_000_060_000 }));
    expect(message).toMatchObject({
      durable: true,
      ttl: 1_500,
      delivery_count: 3,
      message_id: 'id',
      body: 'b',
      message_annotations: {
        'x-opt-sequence-number': 2 ** 40 + 1,
        'x-opt-enqueue-sequence-number': 4,
        'x-opt-enqueued-time': new Date(1_700_000_000_000),
        'x-opt-locked-until': new Date(1_700_000_060_000),
        'x-opt-message-state': 1,
      },
    });
  });

  it('leaves out what does not apply', () => {
    const { payload } = readMessage(encode({ body: 'b' }));
    const message = decode(writeMessage(storedMessage(1, { payload })));
    expect(message['ttl']).toBeUndefined();
    expect(Object.keys(message['message_annotations'] as object)).not.toContain(
      'x-opt-locked-until',
    );
  });
});

describe('setApplicationProperties', () => {
  const bare = (message: Record<string, unknown>) => readMessage(encode(message)).payload;

  it('changes and adds values and keeps the types of the others', () => {
    const payload = bare({
      message_id: 'id',
      application_properties: { kept: types.wrap_long(5), changed: 'old' },
      body: 'b',
    });
    const changed = setApplicationProperties(payload, { changed: 'new', added: 1, not: undefined });
    expect(decode(changed)).toMatchObject({ message_id: 'id', body: 'b' });
    expect(decode(changed)['application_properties']).toEqual({
      kept: 5,
      changed: 'new',
      added: 1,
    });
    const SMALL_LONG_5 = Buffer.from([0x55, 5]);
    expect(changed.includes(SMALL_LONG_5)).toBe(true);
  });

  it('adds the section where the message has none', () => {
    for (const message of [{ body: 'b' }, { message_id: 'id', body: 'b' }]) {
      const changed = setApplicationProperties(bare(message), { added: 'a' });
      expect(decode(changed)).toMatchObject({ ...message, application_properties: { added: 'a' } });
    }
    expect(setApplicationProperties(bare({ body: 'b' }), {})).toEqual(bare({ body: 'b' }));
  });
});

describe('ensureMessageId', () => {
  const idOf = (message: Record<string, unknown>) => {
    const payload = ensureMessageId(readMessage(encode(message)).payload, () => 'new');
    return decode(payload);
  };

  it('leaves a message alone that has an id of any type', () => {
    expect(idOf({ message_id: 'own', body: 1 })['message_id']).toBe('own');
    expect(idOf({ message_id: 7, body: 1 })['message_id']).toBe(7);
  });

  it('gives an id to a message without, and keeps its other properties', () => {
    const other = { subject: 's', to: 't'.repeat(300), body: 'b' };
    expect(idOf(other)).toMatchObject({ ...other, message_id: 'new' });
    expect(idOf({ body: 'b' })).toMatchObject({ body: 'b', message_id: 'new' });
  });

  it('gives an id to a message without properties', () => {
    const payload = encode({ body: 'b' });
    const body = findSections(payload).find((section) => section.code === 0x77);
    const bodyOnly = payload.subarray(body!.start);
    expect(decode(ensureMessageId(bodyOnly, () => 'new'))).toMatchObject({
      message_id: 'new',
      body: 'b',
    });
  });
});
