import { startContainerCluster } from './containers/start-container-cluster.ts';
import type { Backend, E2eCluster, E2eOptions } from './e2e-cluster.ts';
import { startProcessCluster } from './processes/start-process-cluster.ts';

/** E2E_BACKEND; processes need nothing that is not installed with the workspace. */
function chooseBackend(): Backend {
  const backend = process.env['E2E_BACKEND'] || 'processes';
  if (backend === 'processes' || backend === 'containers') return backend;
  throw new Error(`E2E_BACKEND must be processes or containers, not "${backend}".`);
}

/** Regions that are ready, east and west unless they are named; the first is preferred by the traffic manager. */
export async function startCluster(options: E2eOptions = {}): Promise<E2eCluster> {
  return chooseBackend() === 'containers'
    ? startContainerCluster(options)
    : startProcessCluster(options);
}
