import { describe, expect, test } from 'vitest';
import { createGate } from './gate.ts';

function createGateAt(insideMax = 2) {
  const wall = { ms: 0 };
  const sleepers: (() => void)[] = [];
  const entered: number[] = [];
  const leaves: (() => void)[] = [];
  const gate = createGate({
    insideMax: () => insideMax,
    stayMsMax: 250,
    clock: {
      nowMs: () => wall.ms,
      sleep: () => new Promise((resolve) => void sleepers.push(resolve)),
    },
  });
  const sleepOn = (ms: number): void => {
    wall.ms += ms;
    for (const wake of sleepers.splice(0)) wake();
  };
  const enterAs = async (name: number): Promise<void> => {
    leaves[name] = await gate.enter();
    entered.push(name);
  };
  const enter = (name: number): void => void enterAs(name);
  return { gate, wall, entered, leaves, enter, sleepOn };
}

const othersHaveRun = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('a gate', () => {
  test('lets so many in, and the next when one has left, first come first', async () => {
    const { enter, entered, leaves } = createGateAt();
    for (const name of [0, 1, 2, 3]) enter(name);
    await othersHaveRun();
    expect(entered).toEqual([0, 1]);
    leaves[1]?.();
    leaves[1]?.();
    await othersHaveRun();
    expect(entered).toEqual([0, 1, 2]);
  });

  test('lets the others in when the only one inside hangs, though nobody comes any more', async () => {
    const { enter, entered, sleepOn } = createGateAt(1);
    for (const name of [0, 1, 2]) enter(name);
    await othersHaveRun();
    expect(entered).toEqual([0]);
    sleepOn(250);
    await othersHaveRun();
    expect(entered).toEqual([0, 1]);
    sleepOn(250);
    await othersHaveRun();
    expect(entered).toEqual([0, 1, 2]);
  });

  test('no longer counts who has stayed too long', async () => {
    const { gate, wall, enter, entered, leaves } = createGateAt();
    for (const name of [0, 1, 2, 3, 4]) enter(name);
    await othersHaveRun();
    wall.ms = 250;
    gate.poke();
    await othersHaveRun();
    expect(entered).toEqual([0, 1, 2, 3]);
    leaves[0]?.();
    await othersHaveRun();
    expect(entered).toEqual([0, 1, 2, 3]);
    leaves[2]?.();
    await othersHaveRun();
    expect(entered).toEqual([0, 1, 2, 3, 4]);
  });
});
