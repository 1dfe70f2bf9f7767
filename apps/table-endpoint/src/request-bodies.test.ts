import { describe, expect, it } from 'vitest';
import { BODY_BYTES_MAX, createRequestBodies } from './request-bodies.ts';

/** Sends so many bytes in chunks, each once the one before was taken. */
async function* chunksOf(sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (const size of sizes) yield Buffer.alloc(size, 'a');
}

const BUSY = { code: 'ServerBusy' };

describe('the bodies of all requests together', () => {
  it('are held until their requests are answered, and refused beyond the bound', async () => {
    const bodies = createRequestBodies(1_000);
    const [one, other] = [bodies.open(), bodies.open()];
    expect(await one.read(chunksOf([300, 300]), undefined)).toHaveLength(600);
    expect(bodies.heldBytes).toBe(600);
    await expect(other.read(chunksOf([200, 201]), undefined)).rejects.toMatchObject(BUSY);
    expect(bodies.heldBytes).toBe(600);
    one.release();
    one.release();
    expect(bodies.heldBytes).toBe(0);
    expect(await bodies.open().read(chunksOf([1_000]), 1_000)).toHaveLength(1_000);
  });

  it('are refused by what is announced before any of it is read', async () => {
    const bodies = createRequestBodies(1_000);
    let isAsked = false;
    const payload = (async function* (): AsyncGenerator<Uint8Array> {
      isAsked = true;
      yield Buffer.alloc(1);
    })();
    await expect(bodies.open().read(payload, 1_001)).rejects.toMatchObject(BUSY);
    expect(isAsked).toBe(false);
    expect(bodies.heldBytes).toBe(0);
  });

  it('hold nothing of one that is too large, which is read to its end', async () => {
    const bodies = createRequestBodies(2 * BODY_BYTES_MAX);
    let mostBytes = 0;
    let isAtEnd = false;
    const payload = (async function* (): AsyncGenerator<Uint8Array> {
      for (let sent = 0; sent <= 4; sent += 1) {
        yield Buffer.alloc(BODY_BYTES_MAX / 2);
        mostBytes = Math.max(mostBytes, bodies.heldBytes);
      }
      isAtEnd = true;
    })();
    const reading = bodies.open().read(payload, 5 * BODY_BYTES_MAX);
    await expect(reading).rejects.toMatchObject({ code: 'RequestBodyTooLarge' });
    expect({ mostBytes, isAtEnd, left: bodies.heldBytes }).toEqual({
      mostBytes: BODY_BYTES_MAX,
      isAtEnd: true,
      left: 0,
    });
  });

  it('are texts in UTF-8 or refused', async () => {
    const body = createRequestBodies(100).open();
    const payload = (async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from([0xff, 0xfe]);
    })();
    await expect(body.read(payload, undefined)).rejects.toMatchObject({ code: 'InvalidInput' });
  });
});
