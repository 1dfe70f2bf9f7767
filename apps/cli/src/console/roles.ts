/**
 * What a person may do in the console: `view` sees figures, ids and commands; `operate` asks for values and presses what
 * changes something; `erase` takes away what nobody can bring back. What a button says and what the server asks for are
 * one line of this table, so that they cannot come apart.
 */
export const ROLES = ['view', 'operate', 'erase'] as const;
export type Role = (typeof ROLES)[number];

/** Every form there is, with the role that it takes. */
export const FORM_ROLES = {
  // Shows the values of both sides.
  '/conflicts/show': 'operate',
  '/conflicts/restore': 'operate',
  // Shows the values in the body.
  '/dead-letters/show': 'operate',
  '/dead-letters/resubmit': 'operate',
  '/dead-letters/discard': 'erase',
  '/history': 'view',
  '/history/values': 'operate',
  '/history/replay': 'operate',
  '/recovery/begin': 'operate',
  '/recovery/apply': 'operate',
  '/recovery/again': 'operate',
  '/recovery/cancel': 'operate',
  '/recovery/release': 'operate',
  '/settings/set': 'operate',
  '/settings/unset': 'operate',
  '/tables/delete': 'erase',
  '/tables/restore': 'operate',
  '/tables/thaw': 'operate',
} as const satisfies Readonly<Record<string, Role>>;

export type FormPath = keyof typeof FORM_ROLES;

/** Returns why this visitor may not, in words for a person; undefined for one who may. */
export function findMissingRole(
  { roles }: { readonly roles: ReadonlySet<Role> },
  role: Role,
): string | undefined {
  return roles.has(role) ? undefined : `It takes the role ${role}, which you do not have.`;
}
