import { inflateSync } from 'node:zlib';
import type { FieldValue } from '@tandem/core';
import { GADGET_FIELDS, rawGadgetOf, valuesIdAt } from '../clients/values.ts';
import type { FinalChecker } from './checker.ts';

/** Numbers say too little to be looked for. */
const TELLING = GADGET_FIELDS.filter((name) => name !== 'ratio');
const DEFLATED = /"deflated":"([A-Za-z0-9+/=]+)"/g;

/** I19: what was forgotten is in no byte of any region: not in its tables, its queue or its dead letters. */
export const forgotten: FinalChecker = {
  name: 'remembered',
  check({ world, history, regions }) {
    const { forgotten: ids } = world.recoveries;
    const values = new Map<string, string>();
    for (const { id, entityIds } of history.operations) {
      for (const [place, entityId] of entityIds.entries()) {
        if (!ids.has(entityId)) continue;
        const own = rawGadgetOf(valuesIdAt(id, place));
        for (const name of TELLING) values.set(JSON.stringify(own[name]?.[1]), entityId);
      }
    }
    if (values.size === 0) return [];
    return regions.flatMap(({ name, everything }) =>
      everything.flatMap(({ place, texts }) => {
        const found = texts.flatMap(
          (text) => [...values].find(([value]) => text.includes(value)) ?? [],
        );
        const [value, entityId] = found;
        return value === undefined
          ? []
          : [`${value} of ${entityId ?? ''} is in ${place} of ${name}`];
      }),
    );
  },
};

/** What a column or a body says, also of what is deflated in it. */
export function textsOf(value: FieldValue | Uint8Array): readonly string[] {
  if (!(value instanceof Uint8Array)) {
    if (value.type === 'Binary') {
      return [`"${Buffer.from(value.value).toString('base64')}"`, ...textsOf(value.value)];
    }
    return [JSON.stringify(typeof value.value === 'bigint' ? String(value.value) : value.value)];
  }
  const text = Buffer.from(value).toString('utf8');
  const inflated = [...text.matchAll(DEFLATED)].map(([, base64 = '']) =>
    inflateSync(Buffer.from(base64, 'base64')).toString('utf8'),
  );
  return [text, ...inflated];
}
