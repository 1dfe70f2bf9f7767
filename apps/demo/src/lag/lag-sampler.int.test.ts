import { expect, it } from 'vitest';
import { createLagSampler } from './lag-sampler.ts';

it('follows each of a few customers until it has arrived, and never measures too little', async () => {
  const askedFor = new Map<string, number>();
  const sampler = createLagSampler({
    total: 3,
    hasArrived: async (id) => {
      const times = (askedFor.get(id) ?? 0) + 1;
      askedFor.set(id, times);
      return times === 3;
    },
  });
  for (const id of ['a', 'b', 'c']) sampler.acknowledged(id, 'east');
  const lagsMs = await sampler.finish(60_000);
  expect([...askedFor.values()]).toEqual([3, 3, 3]);
  // Two pauses lie between three questions.
  expect(Math.min(...lagsMs)).toBeGreaterThan(45);
});

it('follows only about every fiftieth of many', async () => {
  const followed = new Set<string>();
  const sampler = createLagSampler({
    total: 5_000,
    hasArrived: async (id) => {
      followed.add(id);
      return true;
    },
  });
  for (let id = 0; id < 5_000; id += 1) {
    sampler.acknowledged(String(id), 'east');
    // Lets the one that is followed arrive.
    await Promise.resolve().then(() => undefined);
  }
  expect(await sampler.finish(60_000)).toHaveLength(followed.size);
  expect(followed.size).toBeGreaterThan(50);
  expect(followed.size).toBeLessThanOrEqual(100);
});

it('counts with its age what has not arrived at the deadline, and begins nothing once closed', async () => {
  const sampler = createLagSampler({ total: 1, hasArrived: async () => false });
  sampler.acknowledged('lost', 'east');
  sampler.close();
  sampler.acknowledged('late', 'east');
  const lagsMs = await sampler.finish(50);
  expect(lagsMs).toHaveLength(1);
  expect(lagsMs[0]).toBeGreaterThanOrEqual(50);
});
