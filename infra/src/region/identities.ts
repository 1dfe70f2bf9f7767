import { UserAssignedIdentity } from '@pulumi/azure-native/managedidentity/index.js';
import { placeOf, prefixOf, type RegionContext } from './region-context.ts';

/**
 * One for each that acts: the services, what reads connection strings from the vault, and what
 * scales the replicators, which must be allowed more on the queue than the replicator itself.
 */
type ServiceIdentity = 'customerApi' | 'replicator' | 'secrets' | 'scaler' | 'tableEndpoint';
/** Who mends all regions from this one, and who only looks. */
type OperatorIdentity = 'operator' | 'viewer';
export type IdentityName = ServiceIdentity | OperatorIdentity;
export type RegionIdentities = Readonly<Record<ServiceIdentity, UserAssignedIdentity>> &
  Readonly<Partial<Record<OperatorIdentity, UserAssignedIdentity>>>;

export function createIdentities(context: RegionContext): RegionIdentities {
  const create = (name: IdentityName) =>
    new UserAssignedIdentity(`${prefixOf(context)}-${name}`, placeOf(context));
  return {
    customerApi: create('customerApi'),
    replicator: create('replicator'),
    secrets: create('secrets'),
    scaler: create('scaler'),
    tableEndpoint: create('tableEndpoint'),
    ...(context.settings.operators && { operator: create('operator'), viewer: create('viewer') }),
  };
}
