import { createSeededRandomness } from '@tandem/core/memory';
import { createLogger } from '@tandem/service-kit';
import { startAzurite } from '@tandem/storage/testing';
import {
  createApp,
  createEndpoint,
  type Endpoint,
  type ServedTables,
} from '@tandem/table-endpoint';
import { openLocalTables } from '@tandem/table-endpoint/testing';
import { type Difference, runDifferential } from './differential/differential.ts';
import { byFile, readExchanges } from './recorded.ts';
import { ACCOUNT, CHALLENGE, Replay } from './replay.ts';

export interface ConformanceOptions {
  /** How many are sent to both servers. */
  readonly requests: number;
  readonly seed: number;
  readonly onProgress?: (done: number) => void;
}

export interface ConformanceReport {
  /** Exchanges of the real service that were replayed. */
  readonly recorded: number;
  /** Recorded files in which an answer was not as recorded. */
  readonly different: number;
  readonly unexplained: number;
  /** How many answers of the other server differed, by known reason. */
  readonly explained: Readonly<Record<string, number>>;
  readonly firstUnexplained: readonly Difference[];
}

/** The account that every emulator of storage publishes; it protects nothing. */
export const EMULATED = {
  account: 'devstoreaccount1',
  key: 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==',
} as const;

/** Opens the endpoint over tables of its own, with the account of the records and that of the emulators. */
export function openEndpoint(tables: ServedTables): Endpoint {
  let ids = 0;
  return createEndpoint({
    tables,
    accounts: [ACCOUNT, { account: EMULATED.account, keys: [EMULATED.key] }],
    styleOf: (host) =>
      host.startsWith('acc')
        ? { account: 'acc', isSecondary: host.startsWith('acc-secondary.') }
        : {},
    nowMs: Date.now,
    newRequestId: () => `id-${(ids += 1)}`,
    challenge: CHALLENGE,
    onFailure: (error) => {
      throw error;
    },
  });
}

export async function runConformance(options: ConformanceOptions): Promise<ConformanceReport> {
  const { recorded, different } = await replayAll();
  const { unexplained, explained, first } = await compareWithAzurite(options);
  return { recorded, different, unexplained, explained, firstUnexplained: first };
}

async function replayAll(): Promise<{ readonly recorded: number; readonly different: number }> {
  const exchanges = readExchanges();
  let different = 0;
  for (const [, file] of byFile(exchanges)) {
    const tables = await openLocalTables();
    const replay = new Replay(openEndpoint(tables), tables);
    try {
      for (const exchange of file) await replay.send(exchange);
    } catch {
      different += 1;
    }
  }
  return { recorded: exchanges.length, different };
}

/** Sends the same requests to the endpoint and to Azurite, over sockets. */
export async function compareWithAzurite({
  requests,
  seed,
  onProgress,
}: ConformanceOptions): Promise<{
  readonly unexplained: number;
  readonly explained: Readonly<Record<string, number>>;
  readonly first: readonly Difference[];
}> {
  const logger = createLogger({ service: 'conformance', region: 'east', level: 'fatal' });
  const app = createApp({ endpoint: openEndpoint(await openLocalTables()), logger });
  const azurite = await startAzurite();
  try {
    const url = new URL(await app.listen({ host: '127.0.0.1', port: 0 }));
    const { unexplained, explained, unexplainedCount } = await runDifferential({
      endpoint: { ...EMULATED, port: Number(url.port) },
      other: { ...EMULATED, port: azurite.port },
      requests,
      random: createSeededRandomness(seed),
      ...(onProgress && { onProgress }),
    });
    return { unexplained: unexplainedCount, explained, first: unexplained };
  } finally {
    await Promise.all([app.close(), azurite.stop()]);
  }
}
