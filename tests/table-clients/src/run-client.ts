// One client in a process of its own, as an application has it: node run-client.ts <name>, with the connection string in
// AZURE_STORAGE_CONNECTION_STRING. It does what each line of its input says, and answers with a line.
import { createInterface } from 'node:readline';
import type { Done, Order } from './client.ts';
import { type ClientName, OPENERS } from './clients.ts';

const [, , name = ''] = process.argv;
const connection = process.env['AZURE_STORAGE_CONNECTION_STRING'] ?? '';
const open = await OPENERS[name as ClientName]();
const client = open(connection);

async function obey(order: Order): Promise<Done> {
  try {
    if (order.do === 'work')
      return { kind: 'done', facts: (await client.work(order.round)) ?? null };
    await client.find(order.round, order.facts);
    return { kind: 'done', facts: null };
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error);
    return { kind: 'failed', message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await obey(JSON.parse(line) as Order))}\n`);
}
// Some clients leave timers behind that would go on for ever.
process.exit(0);
