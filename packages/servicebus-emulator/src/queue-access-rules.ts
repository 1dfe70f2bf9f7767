import type { Namespace } from './namespace.ts';
import type { SharedAccessRule } from './shared-access-signature.ts';

/** The keys that count for one queue only, each rule with its two. */
export interface QueueAccessRules {
  /** In lower case, as the paths of claims are. */
  readonly queueName: string;
  readonly rules: readonly SharedAccessRule[];
}

/** The rules of the queue that a path leads to, or to whose dead letters or management it leads. */
export function accessRulesOf(namespace: Namespace, path: string): QueueAccessRules {
  const entity = namespace.find(path.replace(/\/\$.*$/, ''));
  const rules = entity?.stored.properties.authorizationRules ?? [];
  return {
    queueName: entity?.stored.name.toLowerCase() ?? '',
    rules: rules.flatMap(({ name, rights, primaryKey, secondaryKey }) => [
      { name, rights, key: primaryKey },
      { name, rights, key: secondaryKey },
    ]),
  };
}
