/** Writes through the REST API, over connections that stay open, as a service does. */
import { Agent, request } from 'node:http';
import { customerFor, customerId } from './customers.ts';

export interface HttpLoad {
  put(customer: number, revision: number): Promise<void>;
  close(): void;
}

const REQUEST_MS_MAX = 30_000;

export function createHttpLoad(apiUrl: string): HttpLoad {
  const agent = new Agent({ keepAlive: true });
  return {
    put: (customer, revision) =>
      new Promise((resolve, reject) => {
        const body = JSON.stringify(customerFor(customer, revision));
        const sent = request(`${apiUrl}/customers/${customerId(customer)}`, {
          agent,
          method: 'PUT',
          timeout: REQUEST_MS_MAX,
          headers: {
            'content-type': 'application/json',
            'content-length': Buffer.byteLength(body),
          },
        });
        sent.on('error', reject);
        sent.on('timeout', () => sent.destroy(new Error(`PUT took ${REQUEST_MS_MAX} ms.`)));
        sent.on('response', (answer) => {
          answer.on('error', reject);
          answer.on('end', () => {
            const { statusCode = 0 } = answer;
            if (statusCode === 200 || statusCode === 201) resolve();
            else reject(new Error(`PUT was answered with ${statusCode}.`));
          });
          answer.resume();
        });
        sent.end(body);
      }),
    close: () => agent.destroy(),
  };
}
