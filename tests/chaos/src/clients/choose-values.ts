import { FIELDS, type Field, type Values } from '../history/operation.ts';
import type { Random } from '../random.ts';

const VALUE_CHANCE = 0.65;
const NAMED_CHANCE = 0.4;

/** Of a whole customer: every field, the e-mail address always with a value. */
export function chooseAllValues(operation: number, random: Random): Values {
  return chooseValues(FIELDS, operation, random);
}

/** Of a patch: at least one field. */
export function chooseSomeValues(operation: number, random: Random): Values {
  const sure = random.pick(FIELDS);
  const named = FIELDS.filter((field) => field === sure || random.chance(NAMED_CHANCE));
  return chooseValues(named, operation, random);
}

/** Every operation writes values that no other one writes, so that a value tells where it is from. */
function chooseValues(fields: readonly Field[], operation: number, random: Random): Values {
  const entries = fields.map((field) => {
    if (field === 'email') return [field, `o${operation}@example.com`] as const;
    return [field, random.chance(VALUE_CHANCE) ? `${field} ${operation}` : null] as const;
  });
  return Object.fromEntries(entries);
}

/** The body that writes these values as a whole customer: one without a value may be left out. */
export function toWholeBody(values: Values, random: Random): Values {
  const isLeftOut = random.chance(0.5);
  const entries = Object.entries(values).filter(([, value]) => value !== null || !isLeftOut);
  return Object.fromEntries(entries);
}
