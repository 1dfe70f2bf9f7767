import { describe, expect, test } from 'vitest';
import { clientFactory, namespaceOf } from './bus-link.ts';
import { createServiceBusPublisher } from './service-bus-publisher.ts';

const KEY = 'SharedAccessKeyName=Root;SharedAccessKey=hunter2+/=';

describe('a Service Bus connection', () => {
  test.each([
    [
      `Endpoint=sb://tandem-east.servicebus.windows.net/;${KEY}`,
      'tandem-east.servicebus.windows.net',
    ],
    [`Endpoint=sb://127.0.0.1:5673;${KEY};UseDevelopmentEmulator=true`, '127.0.0.1:5673'],
    [`${KEY};endpoint=sb://x.example/;`, 'x.example'],
    ['tandem-east.servicebus.windows.net', 'tandem-east.servicebus.windows.net'],
    ['localhost:5672', 'localhost:5672'],
  ])('names its namespace', (connection, namespace) => {
    expect(namespaceOf(connection)).toBe(namespace);
  });

  test.each(['', 'https://x.example', `Endpoint=http://x;${KEY}`, KEY])(
    'that is neither a connection string nor a namespace is refused, without a word of it',
    (connection) => {
      const create = () =>
        createServiceBusPublisher({ peer: 'west', connection, queue: 'inbound' });
      expect(create).toThrow(expect.objectContaining({ code: 'CONFIGURATION_INVALID' }));
      expect(create).not.toThrow('hunter2');
    },
  );
});

test.each([
  `endpoint=sb://a.servicebus.windows.net/;sharedaccesskeyname=n;sharedaccesskey=hunter2=`,
  ` Endpoint = sb://a.servicebus.windows.net/ ; SharedAccessKeyName = n ; SharedAccessKey = hunter2= ;`,
])(
  'D2: a connection string in whatever case and with blanks opens a client: %s',
  async (connection) => {
    expect(namespaceOf(connection)).toBe('a.servicebus.windows.net');
    const client = clientFactory(connection, {})();
    expect(client.fullyQualifiedNamespace).toBe('a.servicebus.windows.net');
    await client.close();
  },
);
