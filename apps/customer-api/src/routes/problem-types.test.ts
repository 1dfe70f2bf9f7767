import { expect, it } from 'vitest';
import { PROBLEM_CODES } from '../http/problem.ts';
import { createTestApp } from '../testing/create-test-app.ts';

it('the type of every problem leads to what it means', async () => {
  const { app } = await createTestApp();
  for (const code of PROBLEM_CODES) {
    const response = await app.inject({ url: `/problems/${code}` });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({ type: `/problems/${code}` });
  }
  expect((await app.inject({ url: '/problems/none' })).statusCode).toBe(404);
  await app.close();
});
