import { expect, onTestFinished } from 'vitest';
import { buildApp, stopWithin } from '../app.ts';
import type { EndpointAddress } from '../monitoring/profile.ts';
import type { ResolveName } from '../monitoring/profile-monitor.ts';
import type { TrafficManagerConfig } from '../settings/read-config.ts';
import { HEALTH_PATH } from './start-endpoint.ts';

const STOP_DEADLINE_MS = 2000;

export interface TestApp {
  readonly url: string;
  status(): Promise<TestStatus>;
  /** Waits until the endpoint of that name gets the traffic. */
  untilCurrent(name: string | null): Promise<TestStatus>;
  /** Waits until the endpoint is in the state. */
  untilState(name: string, state: string): Promise<TestStatus>;
  switchEndpoint(name: string, action: 'disable' | 'enable'): Promise<Response>;
}

interface TestStatus {
  readonly current: string | null;
  readonly decision: string;
  readonly failOver: { readonly formulaMs: number; readonly worstMs: number };
  readonly endpoints: readonly {
    readonly name: string;
    readonly enabled: boolean;
    readonly state: string;
    readonly consecutiveFailures: number;
    readonly lastProbe?: {
      readonly ok: boolean;
      readonly status?: number;
      readonly error?: string;
    };
  }[];
  readonly transitions: readonly {
    readonly at: string;
    readonly endpoint: string;
    readonly to: string;
    readonly current: string | null;
  }[];
}

/** Starts the traffic manager with fast probes; it ends with the test. */
export async function startApp(
  endpoints: readonly EndpointAddress[],
  probing: Partial<TrafficManagerConfig['probing']> = {},
  resolveName?: ResolveName,
): Promise<TestApp> {
  const app = await buildApp({
    config: {
      allowedHosts: [],
      endpoints: endpoints.map(({ name, url }) => ({ name, url })),
      probing: {
        intervalMs: 20,
        timeoutMs: 5000,
        toleratedFailures: 2,
        path: HEALTH_PATH,
        ttlMs: 0,
        ...probing,
      },
    },
    logger: { level: 'silent' },
    resolveName,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  onTestFinished(async () => {
    await stopWithin(app, STOP_DEADLINE_MS);
  });
  const status = async (): Promise<TestStatus> =>
    (await (await fetch(`${url}/_traffic-manager/status`)).json()) as TestStatus;
  const until = async (
    isReached: (status: TestStatus) => boolean,
    what: string,
  ): Promise<TestStatus> => {
    let latest = await status();
    const look = async (): Promise<TestStatus | string> => {
      latest = await status();
      return isReached(latest) ? what : latest;
    };
    await expect.poll(look, { interval: 10 }).toBe(what);
    return latest;
  };
  return {
    url,
    status,
    untilCurrent: (name) => until(({ current }) => current === name, `current ${name}`),
    untilState: (name, state) =>
      until(
        (latest) => latest.endpoints.some((each) => each.name === name && each.state === state),
        `${name} ${state}`,
      ),
    switchEndpoint: (name, action) =>
      fetch(`${url}/_traffic-manager/endpoints/${name}/${action}`, { method: 'POST' }),
  };
}
