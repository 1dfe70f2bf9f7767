import { fileURLToPath } from 'node:url';
import autocannon from 'autocannon';
import { customerFor, customerId } from '../load/customers.ts';
import { startApi } from '../rig/start-api.ts';
import { type RunningProgram, startProgram } from '../rig/start-program.ts';
import { alternate } from '../run/alternate.ts';
import { type Spread, spreadOf } from '../stats/spread.ts';

export interface ApiVsFastify {
  /** Requests a second, by those of a bare Fastify route with the same schemas. */
  readonly get: Spread;
  readonly put: Spread;
  /** Processor time of the server a request, by that of the bare route. */
  readonly getCpu: Spread;
  readonly putCpu: Spread;
  /** For orientation; they say as much of the machine as of this product. */
  readonly bareGetsPerSecond: Spread;
  readonly barePutsPerSecond: Spread;
}

const CONNECTIONS = 32;
const CUSTOMERS = 1_000;
/** Of each server and method: the API has more code, of which some is compiled anew for ten seconds. */
const WARM_UP_S = 12;
const BARE = fileURLToPath(new URL('../rig/bare-fastify.ts', import.meta.url));

type Method = 'GET' | 'PUT';

interface Measured {
  readonly rate: number;
  readonly cpuMs: number;
}

interface Server {
  readonly url: string;
  readonly program: RunningProgram;
}

/** The API keeps its customers in memory, and nobody limits the rate: what is measured is the API. */
export async function compareWithFastify(options: {
  readonly rounds: number;
  readonly durationMs: number;
}): Promise<ApiVsFastify> {
  const duration = Math.ceil(options.durationMs / 1_000);
  const api = await startApi({
    CUSTOMER_DATA_ACCESS: 'memory',
    REQUESTS_PER_MINUTE_MAX: '10000000',
  });
  try {
    const program = await startProgram({ name: 'bare fastify', main: BARE });
    try {
      const { port } = JSON.parse(program.readyLine) as { readonly port: number };
      const bare: Server = { program, url: `http://127.0.0.1:${port}` };
      const compare = async (method: Method): Promise<Record<'rate' | 'cpu' | 'bare', Spread>> => {
        const pairs = await alternate(options.rounds, {
          subject: () => fire(api, method, duration),
          baseline: () => fire(bare, method, duration),
        });
        return {
          rate: spreadOf(pairs.map(({ subject, baseline }) => subject.rate / baseline.rate)),
          cpu: spreadOf(pairs.map(({ subject, baseline }) => subject.cpuMs / baseline.cpuMs)),
          bare: spreadOf(pairs.map(({ baseline }) => baseline.rate)),
        };
      };
      // Every customer is there before it is read.
      for (const { url } of [api, bare]) await putAll(url);
      // What both run was compiled before anything is timed.
      for (const method of ['PUT', 'GET'] as const) {
        for (const server of [api, bare]) await fire(server, method, WARM_UP_S);
      }
      const put = await compare('PUT');
      const get = await compare('GET');
      return {
        get: get.rate,
        put: put.rate,
        getCpu: get.cpu,
        putCpu: put.cpu,
        bareGetsPerSecond: get.bare,
        barePutsPerSecond: put.bare,
      };
    } finally {
      await program.stop();
    }
  } finally {
    await api.program.stop();
  }
}

/** The load generator begins with the first customers on each connection, so it may reach no others. */
async function putAll(url: string): Promise<void> {
  for (let nth = 0; nth < CUSTOMERS; nth += 1) {
    const answer = await fetch(`${url}/customers/${customerId(nth)}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(customerFor(nth, nth)),
    });
    await answer.arrayBuffer();
    if (!answer.ok) throw new Error(`PUT was answered with ${answer.status}.`);
  }
}

async function fire({ url, program }: Server, method: Method, duration: number): Promise<Measured> {
  const before = program.cpuMs();
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration,
    requests: Array.from({ length: CUSTOMERS }, (_, nth) => ({
      method,
      path: `/customers/${customerId(nth)}`,
      ...(method === 'PUT'
        ? {
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(customerFor(nth, nth)),
          }
        : {}),
    })),
  });
  const answered = result['2xx'];
  if (result.non2xx > 0 || result.errors > 0 || answered === 0) {
    throw new Error(`${url} ${method}: ${result.non2xx} refused, ${result.errors} failed.`);
  }
  return {
    rate: answered / result.duration,
    cpuMs: (program.cpuMs() - before) / answered,
  };
}
