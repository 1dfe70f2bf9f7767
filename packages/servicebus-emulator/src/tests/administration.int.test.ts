import type { ServiceBusError } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SdkHarness, startSdkHarness } from '../testing/sdk-harness.ts';

const NEVER = 'P10675199DT2H48M5.4775807S';

let sdk: SdkHarness;
beforeAll(async () => {
  sdk = await startSdkHarness({ queues: ['seeded', { name: 'tuned', maxDeliveryCount: 3 }] });
});
afterAll(async () => {
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

describe('administration with the SDK', () => {
  it('creates a queue with the defaults of the service', async () => {
    const created = await sdk.admin.createQueue('defaults');
    expect(created).toMatchObject({
      name: 'defaults',
      lockDuration: 'PT1M',
      maxDeliveryCount: 10,
      maxSizeInMegabytes: 1024,
      defaultMessageTimeToLive: NEVER,
      deadLetteringOnMessageExpiration: false,
      enablePartitioning: false,
      requiresSession: false,
      requiresDuplicateDetection: false,
      status: 'Active',
    });
  });

  it('keeps the settings it is given and changes them on update', async () => {
    const settings = {
      lockDuration: 'PT5S',
      maxDeliveryCount: 4,
      defaultMessageTimeToLive: 'P1DT2H3M4.5S',
      deadLetteringOnMessageExpiration: true,
      maxSizeInMegabytes: 2048,
      userMetadata: 'a <b> & "c"',
    };
    await sdk.admin.createQueue('given', settings);
    const queue = await sdk.admin.getQueue('GIVEN');
    expect(queue).toMatchObject({ name: 'given', ...settings });
    queue.maxDeliveryCount = 5;
    queue.lockDuration = 'PT1M30S';
    expect(await sdk.admin.updateQueue(queue)).toMatchObject({
      ...settings,
      maxDeliveryCount: 5,
      lockDuration: 'PT1M30S',
    });
  });

  it('has the queues it was started with', async () => {
    expect(await sdk.admin.queueExists('seeded')).toBe(true);
    expect(await sdk.admin.getQueue('tuned')).toMatchObject({ maxDeliveryCount: 3 });
  });

  it('answers 404 for an absent queue, whatever is asked', async () => {
    const absent = { statusCode: 404, code: 'MessageEntityNotFoundError' };
    expect(await sdk.admin.queueExists('absent')).toBe(false);
    await expect(sdk.admin.getQueue('absent')).rejects.toMatchObject(absent);
    await expect(sdk.admin.deleteQueue('absent')).rejects.toMatchObject(absent);
    const queue = await sdk.admin.getQueue('seeded');
    await expect(sdk.admin.updateQueue({ ...queue, name: 'absent' })).rejects.toMatchObject(absent);
  });

  it('answers 409 when the queue exists, also to one of two at the same time', async () => {
    const taken = { statusCode: 409, code: 'MessageEntityAlreadyExistsError' };
    await expect(sdk.admin.createQueue('Seeded')).rejects.toMatchObject(taken);
    const both = [sdk.admin.createQueue('twice'), sdk.admin.createQueue('twice')];
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map((o) => o.status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('refuses what it cannot do, naming it', async () => {
    const cases = [
      [{ duplicateDetectionHistoryTimeWindow: 'P8D' }, 'DuplicateDetectionHistoryTimeWindow'],
      [{ forwardTo: 'seeded' }, 'ForwardTo'],
      [{ autoDeleteOnIdle: 'PT4M' }, 'AutoDeleteOnIdle'],
      [{ lockDuration: 'PT6M' }, 'LockDuration'],
      [{ lockDuration: 'soon' }, 'LockDuration'],
      [{ maxDeliveryCount: 0 }, 'MaxDeliveryCount'],
    ] as const;
    for (const [options, name] of cases) {
      await expect(sdk.admin.createQueue('refused', options)).rejects.toMatchObject({
        statusCode: 400,
        message: expect.stringContaining(name) as string,
      });
    }
    await expect(sdk.admin.createTopic('topic')).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringContaining('queues only') as string,
    });
    expect(await sdk.admin.queueExists('refused')).toBe(false);
  });

  it('H7: shows a partitioned queue with the size of all its partitions', async () => {
    const size = { maxSizeInMegabytes: 2048, enablePartitioning: true };
    await sdk.admin.createQueue('partitioned', size);
    const queue = await sdk.admin.getQueue('partitioned');
    expect(queue.maxSizeInMegabytes).toBe(16 * 2048);
    queue.maxDeliveryCount = 5;
    expect(await sdk.admin.updateQueue(queue)).toMatchObject({ maxSizeInMegabytes: 16 * 2048 });
    await sdk.admin.deleteQueue('partitioned');
  });

  it.each([1000, 1, 6144, 16 * 1024])('H7: refuses %d megabytes', async (maxSizeInMegabytes) => {
    await expect(sdk.admin.createQueue('sized', { maxSizeInMegabytes })).rejects.toMatchObject({
      statusCode: 400,
    });
  });

  it('H8: lists no topics', async () => {
    const topics: unknown[] = [];
    for await (const topic of sdk.admin.listTopics()) topics.push(topic);
    expect(topics).toEqual([]);
  });

  it('H4: gives pages of queues the links of the service', async () => {
    const pageOf = async (query: string): Promise<string[]> => {
      const address = `http://127.0.0.1:${sdk.emulator.adminPort}/$Resources/Queues?${query}`;
      const text = await (await fetch(address)).text();
      return [...text.matchAll(/<link rel="(.*?)" href="(.*?)"/g)].map(
        ([, rel, href]) => `${rel} ${href?.replaceAll('&amp;', '&')}`,
      );
    };
    const [self, next, ...more] = await pageOf('api-version=2017-04&$skip=0&$top=1');
    expect(self).toMatch(/^self /);
    expect(more).toEqual([]);
    const following = new URL((next ?? '').replace('next ', ''));
    expect(Object.fromEntries(following.searchParams)).toEqual({
      'api-version': '2017-04',
      $skip: '1',
      $top: '1',
    });
    expect(await pageOf('api-version=2017-04&$skip=0&$top=100')).toHaveLength(1);
  });

  it('lists queues page by page in order of name', async () => {
    const other = await startSdkHarness({ queues: ['b', 'a', 'd', 'c', 'e'] });
    const pages: string[][] = [];
    for await (const page of other.admin.listQueues().byPage({ maxPageSize: 2 })) {
      pages.push(page.map((queue) => queue.name));
    }
    expect(pages).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    await other.close();
  });

  it('counts active and dead letters and bytes, and forgets them with the queue', async () => {
    await sdk.admin.createQueue('counted');
    const sender = sdk.client.createSender('counted');
    await sender.sendMessages([{ body: 'a' }, { body: 'b' }, { body: 'c' }]);
    const receiver = sdk.client.createReceiver('counted');
    const [first] = await receiver.receiveMessages(1);
    await receiver.deadLetterMessage(first!);
    const counts = await sdk.admin.getQueueRuntimeProperties('counted');
    expect(counts).toMatchObject({
      activeMessageCount: 2,
      deadLetterMessageCount: 1,
      totalMessageCount: 3,
    });
    expect(counts.sizeInBytes).toBeGreaterThan(10);
    await sdk.admin.deleteQueue('counted');
    await sdk.admin.createQueue('counted');
    expect(await sdk.admin.getQueueRuntimeProperties('counted')).toMatchObject({
      totalMessageCount: 0,
      sizeInBytes: 0,
    });
  });

  it('closes the links to a queue that is deleted', async () => {
    await sdk.admin.createQueue('doomed');
    const seen: unknown[] = [];
    const receiver = sdk.client.createReceiver('doomed');
    receiver.subscribe({
      processMessage: async (message) => void seen.push(message.body),
      processError: async ({ error }) => void seen.push((error as ServiceBusError).code),
    });
    await sdk.client.createSender('doomed').sendMessages({ body: 1 });
    await expect.poll(() => seen).toEqual([1]);
    await sdk.admin.deleteQueue('doomed');
    await expect.poll(() => seen).toContain('MessagingEntityNotFound');
    await receiver.close();
  });

  it('tells about the namespace', async () => {
    expect(await sdk.admin.getNamespaceProperties()).toMatchObject({ name: 'emulator' });
  });
});

describe('the administration port', () => {
  it('reports its health', async () => {
    const response = await fetch(`http://127.0.0.1:${sdk.emulator.adminPort}/health`);
    expect([response.status, await response.json()]).toEqual([200, { status: 'ok' }]);
  });

  it('refuses bodies that are no entries and methods it does not know', async () => {
    const url = `http://127.0.0.1:${sdk.emulator.adminPort}/some-queue`;
    expect((await fetch(url, { method: 'PUT', body: '<entry>' })).status).toBe(400);
    expect((await fetch(url, { method: 'PUT', body: 'x'.repeat(300_000) })).status).toBe(413);
    expect((await fetch(url, { method: 'PATCH' })).status).toBe(404);
    expect((await fetch(`${url}%zz`)).status).toBe(400);
  });
});
