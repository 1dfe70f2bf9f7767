import { ServiceBusAdministrationClient, ServiceBusClient } from '@azure/service-bus';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usePlainHttp } from '../create-emulator.ts';
import { type SdkHarness, startSdkHarness } from '../testing/sdk-harness.ts';

const KEY = { name: 'root', key: 'c2VjcmV0LWtleQ==' };

let sdk: SdkHarness;
beforeAll(async () => {
  sdk = await startSdkHarness({ queues: ['q'], sharedAccessKey: KEY });
});
afterAll(async () => {
  await sdk.close();
  expect(sdk.failures).toEqual([]);
});

describe('an emulator with a key', () => {
  it('serves clients whose connection string carries the key', async () => {
    const sender = sdk.client.createSender('q');
    await sender.sendMessages({ body: 1 });
    const seen = await sdk.client.createReceiver('q').peekMessages(1);
    expect(seen.map((m) => m.body as unknown)).toEqual([1]);
    expect(await sdk.admin.queueExists('q')).toBe(true);
  });

  it('refuses clients with another key, for messages and for administration', async () => {
    const wrong = (text: string) => text.replace(KEY.key, 'b3RoZXI=');
    const client = new ServiceBusClient(wrong(sdk.emulator.connectionString), {
      retryOptions: { maxRetries: 0 },
    });
    await expect(client.createSender('q').sendMessages({ body: 1 })).rejects.toMatchObject({
      code: 'UnauthorizedAccess',
    });
    await client.close();
    const admin = usePlainHttp(
      new ServiceBusAdministrationClient(wrong(sdk.emulator.adminConnectionString)),
    );
    await expect(admin.getQueue('q')).rejects.toMatchObject({ statusCode: 401 });
  });

  it('answers health checks without a token', async () => {
    const response = await fetch(`http://127.0.0.1:${sdk.emulator.adminPort}/health`);
    expect(response.status).toBe(200);
  });
});
