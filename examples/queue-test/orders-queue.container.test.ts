// The same for a project whose tests have Docker anyway: the emulator is a container of its own, as it is for programs that
// are not of Node. EMULATOR_IMAGE names the image, as `node scripts/docker/build-images.mjs` has built it:
//
//     EMULATOR_IMAGE=tandem-servicebus-emulator:dev vitest run --exclude '**/dist/**'
import { ServiceBusClient } from '@azure/service-bus';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const image = process.env['EMULATOR_IMAGE'];
const AMQP = 5672;
const CONTROL = 5301;
const WAIT = { maxWaitTimeInMs: 20_000 };

if (image === undefined) {
  process.stderr.write('EMULATOR_IMAGE is not set: the tests in a container are left out.\n');
}

describe.runIf(image !== undefined)('orders that wait in a container', () => {
  let container: StartedTestContainer;
  let client: ServiceBusClient;

  beforeAll(async () => {
    container = await new GenericContainer(image ?? '')
      .withCommand(['--queues', 'orders', '--control-port', String(CONTROL)])
      .withExposedPorts(AMQP, CONTROL)
      .withWaitStrategy(Wait.forLogMessage(/"event":"ready"/))
      .start();
    const address = `${container.getHost()}:${container.getMappedPort(AMQP)}`;
    client = new ServiceBusClient(
      `Endpoint=sb://${address};SharedAccessKeyName=any;SharedAccessKey=any;UseDevelopmentEmulator=true`,
      { retryOptions: { retryDelayInMs: 100 } },
    );
  });

  afterAll(async () => {
    await client?.close();
    await container?.stop();
  });

  test('an order that the broker refuses once is there when the client has sent it again', async () => {
    const control = `http://${container.getHost()}:${container.getMappedPort(CONTROL)}`;
    const fault = await fetch(`${control}/queues/orders/fail`, {
      method: 'POST',
      body: JSON.stringify({ count: 1, condition: 'com.microsoft:server-busy' }),
    });
    expect(fault.status).toBe(204);
    await client.createSender('orders').sendMessages({ messageId: '1', body: 'pump' });
    const receiver = client.createReceiver('orders', { receiveMode: 'receiveAndDelete' });
    const [message] = await receiver.receiveMessages(1, WAIT);
    expect(message?.body).toBe('pump');
  });
});
