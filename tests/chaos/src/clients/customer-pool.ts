import type { Random } from '../random.ts';

/** Customers that all clients work on at the moment, so that they meet. */
export interface CustomerPool {
  take(random: Random): string;
  /** Customers that whole transactions write, and nothing else; undefined when new ones are wanted. */
  takeGroup(random: Random): readonly string[] | undefined;
  addGroup(group: readonly string[], random: Random): void;
  /** One that a creation was told. */
  add(customer: string): void;
}

const ACTIVE_MAX = 24;
const GROUPS_MAX = 8;
/**
 * How often a customer is worked on before a new one takes its place. What is written over leaves
 * nothing to check at the end, so no customer is written to for ever.
 */
const USES_MIN = 3;
const USES_MAX = 16;

export function createCustomerPool(): CustomerPool {
  const active: { customer: string; usesLeft: number }[] = [];
  const created: string[] = [];
  const groups: { readonly group: readonly string[]; usesLeft: number }[] = [];
  return {
    take(random) {
      const index = random.between(0, ACTIVE_MAX - 1);
      let found = active[index];
      if (found === undefined || found.usesLeft === 0) {
        const customer = created.shift() ?? random.uuid();
        found = { customer, usesLeft: random.between(USES_MIN, USES_MAX) };
        active[Math.min(index, active.length)] = found;
      }
      found.usesLeft -= 1;
      return found.customer;
    },
    takeGroup(random) {
      const index = random.between(0, GROUPS_MAX - 1);
      const found = groups[index];
      if (found === undefined) return undefined;
      found.usesLeft -= 1;
      if (found.usesLeft <= 0) groups.splice(index, 1);
      return found.group;
    },
    addGroup(group, random) {
      if (groups.length < GROUPS_MAX) {
        groups.push({ group, usesLeft: random.between(USES_MIN, USES_MAX) });
      }
    },
    add(customer) {
      if (created.length < ACTIVE_MAX) created.push(customer);
    },
  };
}
