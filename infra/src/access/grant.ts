import { PrincipalType, RoleAssignment } from '@pulumi/azure-native/authorization/index.js';
import type { Input } from '@pulumi/pulumi';
import { DATA_ROLES, type DataRole, roleDefinitionId } from './roles.ts';

export interface Grant {
  /** Of the assignment, unique in the stack. */
  readonly name: string;
  readonly principalId: Input<string>;
  readonly role: DataRole;
  /** The one resource that the role is for. */
  readonly scope: Input<string>;
}

/** Gives an identity a role of the data plane on one resource. */
export function grant({ name, principalId, role, scope }: Grant): RoleAssignment {
  return new RoleAssignment(name, {
    principalId,
    // Without it, an identity that was just made may not be found yet.
    principalType: PrincipalType.ServicePrincipal,
    roleDefinitionId: roleDefinitionId(DATA_ROLES[role]),
    scope,
  });
}
