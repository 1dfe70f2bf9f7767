import type { Faults } from './faults.ts';
import type { Namespace } from './namespace.ts';

/** One namespace of the emulator, with the faults that tests put into it. */
export interface Tenant {
  readonly name: string;
  readonly namespace: Namespace;
  readonly faults: Faults;
}

/**
 * The tenant of the host that a client asked for: the one whose name is the host's first label, as
 * in `east.servicebus.windows.net`, else the first. There must be one at least.
 */
export function tenantOf(tenants: readonly Tenant[], host: string | undefined): Tenant {
  const label = (host ?? '').split(/[.:]/)[0]?.toLowerCase();
  const tenant = tenants.find(({ name }) => name.toLowerCase() === label) ?? tenants[0];
  if (tenant === undefined) throw new Error('The emulator has no namespace');
  return tenant;
}
