import { randomUUID } from 'node:crypto';
import type { CreateQueueOptions, EntityStatus } from '@azure/service-bus';
import { describe, expect, it } from 'vitest';
import { receiveOne } from '../testing/sdk-harness.ts';
import { useConformanceTarget } from './conformance-target.ts';

const target = useConformanceTarget();

const KEYS = {
  primaryKey: Buffer.alloc(32, 1).toString('base64'),
  secondaryKey: Buffer.alloc(32, 2).toString('base64'),
};
const RULE = {
  claimType: 'SharedAccessKey',
  accessRights: ['Manage', 'Send', 'Listen'] as ('Manage' | 'Send' | 'Listen')[],
  keyName: 'all',
  ...KEYS,
};

async function queueWithStatus(status: EntityStatus) {
  const { name, sender } = await target.newQueue();
  await sender.sendMessages({ body: 'before' });
  const properties = await target.admin.getQueue(name);
  await target.admin.updateQueue({ ...properties, status });
  return { name, sender: target.client.createSender(name) };
}

const refusedAsDisabled = { name: 'ServiceBusError', code: 'MessagingEntityDisabled' };

describe('settings of a queue', () => {
  it.each<[keyof CreateQueueOptions, unknown]>([
    ['autoDeleteOnIdle', 'PT1H'],
    ['status', 'ReceiveDisabled'],
    ['enableExpress', true],
    ['enableBatchedOperations', false],
    ['userMetadata', 'x'.repeat(1_024)],
  ])('are kept: %s', async (name, value) => {
    const queue = await target.newQueue({ [name]: value });
    expect(await target.admin.getQueue(queue.name)).toMatchObject({ [name]: value });
  });

  it.each<[string, CreateQueueOptions]>([
    ['an idle time below 5 minutes', { autoDeleteOnIdle: 'PT4M59S' }],
    ['a status that is no state of a queue', { status: 'Renaming' }],
    ['more than 1,024 characters of metadata', { userMetadata: 'x'.repeat(1_025) }],
    [
      'the right to manage without the others',
      {
        authorizationRules: [{ ...RULE, accessRights: ['Manage'] }],
      },
    ],
    ['two keys of one name', { authorizationRules: [RULE, RULE] }],
  ])('are refused: %s', async (_, options) => {
    await expect(target.admin.createQueue(randomUUID(), options)).rejects.toMatchObject({
      statusCode: 400,
    });
  });
});

describe('authorization rules of a queue', () => {
  it('come back with their keys, and change on update', async () => {
    const { name } = await target.newQueue({ authorizationRules: [RULE] });
    const created = await target.admin.getQueue(name);
    expect(created.authorizationRules).toMatchObject([RULE]);
    const second = { ...RULE, keyName: 'second', accessRights: ['Send', 'Listen'] as 'Send'[] };
    await target.admin.updateQueue({ ...created, authorizationRules: [RULE, second] });
    expect((await target.admin.getQueue(name)).authorizationRules).toMatchObject([RULE, second]);
  });

  it('get keys where they name none', async () => {
    const { primaryKey: _, secondaryKey: __, ...keyless } = RULE;
    const { name } = await target.newQueue({ authorizationRules: [keyless] });
    const [rule] = (await target.admin.getQueue(name)).authorizationRules ?? [];
    expect(Buffer.from(rule?.primaryKey ?? '', 'base64')).toHaveLength(32);
    expect(rule?.secondaryKey).not.toBe(rule?.primaryKey);
  });
});

describe('the counts of a queue', () => {
  it('take a deferred message for an active one', async () => {
    const { name, sender } = await target.newQueue();
    await sender.sendMessages([{ body: 'deferred' }, { body: 'free' }]);
    const receiver = target.client.createReceiver(name);
    await receiver.deferMessage(await receiveOne(receiver));
    expect(await target.admin.getQueueRuntimeProperties(name)).toMatchObject({
      activeMessageCount: 2,
      totalMessageCount: 2,
    });
  });
});

describe('a disabled queue', () => {
  it.each<EntityStatus>(['Disabled', 'SendDisabled'])('takes no messages: %s', async (status) => {
    const { sender } = await queueWithStatus(status);
    await expect(sender.sendMessages({ body: 1 })).rejects.toMatchObject(refusedAsDisabled);
    await expect(sender.scheduleMessages({ body: 1 }, new Date())).rejects.toMatchObject(
      refusedAsDisabled,
    );
  });

  it.each<EntityStatus>(['Disabled', 'ReceiveDisabled'])('gives none: %s', async (status) => {
    const { name } = await queueWithStatus(status);
    const receiver = target.client.createReceiver(name);
    await expect(receiver.receiveMessages(1)).rejects.toMatchObject(refusedAsDisabled);
  });

  it('still gives its messages and shows them when only sending is disabled', async () => {
    const { name } = await queueWithStatus('SendDisabled');
    const receiver = target.client.createReceiver(name);
    expect(await receiver.peekMessages(1)).toMatchObject([{ body: 'before' }]);
    expect((await receiveOne(receiver)).body).toBe('before');
  });

  it('still takes messages when only receiving is disabled, and gives them afterwards', async () => {
    const { name, sender } = await queueWithStatus('ReceiveDisabled');
    await sender.sendMessages({ body: 'during' });
    const properties = await target.admin.getQueue(name);
    await target.admin.updateQueue({ ...properties, status: 'Active' });
    const receiver = target.client.createReceiver(name);
    expect(await receiver.receiveMessages(2)).toMatchObject([
      { body: 'before' },
      { body: 'during' },
    ]);
  });

  it('ends what is under way: a receiver that waits is told why', async () => {
    const { name } = await target.newQueue();
    const receiver = target.client.createReceiver(name);
    const told = Promise.withResolvers<unknown>();
    receiver.subscribe({
      processMessage: async () => undefined,
      processError: async ({ error }) => told.resolve(error),
    });
    // Another receiver has attached behind it and is told that nothing is there.
    await target.client.createReceiver(name).receiveMessages(1, { maxWaitTimeInMs: 100 });
    const properties = await target.admin.getQueue(name);
    await target.admin.updateQueue({ ...properties, status: 'Disabled' });
    expect(await told.promise).toMatchObject(refusedAsDisabled);
    await receiver.close();
  });
});
