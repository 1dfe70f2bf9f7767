import { describe, expect, test } from 'vitest';
import { ReceiveSlices, SLICE_MS } from './service-bus-receiver.ts';

const HOUR_MS = 3_600_000;

/** A broker of numbers whose receives end only when the test says so. */
function setUp() {
  const asked: { countMax: number; waitMs: number }[] = [];
  const answers: PromiseWithResolvers<number[]>[] = [];
  const slices = new ReceiveSlices<number>({
    receiveSlice: (countMax, waitMs) => {
      asked.push({ countMax, waitMs });
      const answer = Promise.withResolvers<number[]>();
      answers.push(answer);
      return answer.promise;
    },
  });
  const answer = (index: number, messages: number[]): void => answers[index]?.resolve(messages);
  const fail = (index: number, error: Error): void => answers[index]?.reject(error);
  return { slices, asked, answer, fail };
}

async function othersHaveRun(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('receiving in slices', () => {
  test('one slice after the other until something arrives', async () => {
    const { slices, asked, answer } = setUp();
    const received = slices.receive(5, HOUR_MS);
    answer(0, []);
    await othersHaveRun();
    answer(1, [1, 2]);
    await expect(received).resolves.toEqual([1, 2]);
    expect(asked).toEqual([
      { countMax: 5, waitMs: SLICE_MS },
      { countMax: 5, waitMs: SLICE_MS },
    ]);
  });

  test('the last slice is as short as what is left of the wait', async () => {
    const { slices, asked, answer } = setUp();
    const received = slices.receive(5, 40);
    answer(0, []);
    await expect(received).resolves.toEqual([]);
    expect(asked).toHaveLength(1);
    expect(asked[0]?.waitMs).toBeLessThanOrEqual(40);
  });

  test('without any wait the queue is asked all the same', async () => {
    const { slices, answer } = setUp();
    const received = slices.receive(5, 0);
    answer(0, [1]);
    await expect(received).resolves.toEqual([1]);
  });

  test('what a slice takes after an abort is kept for the next call', async () => {
    const { slices, asked, answer } = setUp();
    const controller = new AbortController();
    const aborted = slices.receive(5, HOUR_MS, controller.signal);
    controller.abort();
    await expect(aborted).resolves.toEqual([]);
    const next = slices.receive(2, HOUR_MS);
    answer(0, [1, 2, 3]);
    await expect(next).resolves.toEqual([1, 2]);
    await expect(slices.receive(2, HOUR_MS)).resolves.toEqual([3]);
    expect(asked).toHaveLength(1);
  });

  test('a slice that was left behind does not use up the wait of the next call', async () => {
    const { slices, asked, answer } = setUp();
    await slices.receive(5, HOUR_MS, AbortSignal.abort());
    const controller = new AbortController();
    const aborted = slices.receive(5, HOUR_MS, controller.signal);
    controller.abort();
    await aborted;
    const next = slices.receive(5, 0);
    answer(0, []);
    await othersHaveRun();
    answer(1, [7]);
    await expect(next).resolves.toEqual([7]);
    expect(asked).toHaveLength(2);
  });

  test('a failed slice fails the call that waits for it, and the next call begins anew', async () => {
    const { slices, answer, fail } = setUp();
    const received = slices.receive(5, HOUR_MS);
    fail(0, new Error('cut off'));
    await expect(received).rejects.toThrow('cut off');
    const next = slices.receive(5, HOUR_MS);
    answer(1, [1]);
    await expect(next).resolves.toEqual([1]);
  });

  test('a slice that fails while nobody waits harms nobody', async () => {
    const { slices, fail } = setUp();
    const controller = new AbortController();
    const received = slices.receive(5, HOUR_MS, controller.signal);
    controller.abort();
    await received;
    fail(0, new Error('cut off'));
    await othersHaveRun();
    await expect(slices.stop()).resolves.toEqual([]);
  });

  test('a stop ends the wait and hands over what arrived and was given to nobody', async () => {
    const { slices, answer } = setUp();
    const received = slices.receive(5, HOUR_MS);
    const stopped = slices.stop();
    await expect(received).resolves.toEqual([]);
    answer(0, [1, 2]);
    await expect(stopped).resolves.toEqual([1, 2]);
  });

  test('two calls at a time are a fault of the program', async () => {
    const { slices, answer } = setUp();
    const first = slices.receive(5, HOUR_MS);
    await expect(slices.receive(5, HOUR_MS)).rejects.toThrow('one receive at a time');
    answer(0, [1]);
    await expect(first).resolves.toEqual([1]);
  });
});
