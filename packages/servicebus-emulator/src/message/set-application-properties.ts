import type { Typed } from 'rhea';
import { decodeValue, encodeValues, mapItems, types } from './amqp-types.ts';
import { findSections, SECTION } from './sections.ts';

/** Values by name, as a client gave them; encoded the way rhea encodes JavaScript values. */
export type PropertyChanges = Readonly<Record<string, unknown>>;

const SMALL_ULONG = 0x53;

function mergeItems(items: readonly Typed[], changes: PropertyChanges): Typed[] {
  const merged = new Map<string, [Typed, Typed]>();
  for (let index = 0; index + 1 < items.length; index += 2) {
    const [key, value] = [items[index], items[index + 1]];
    if (key !== undefined && value !== undefined) merged.set(String(key.value), [key, value]);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value !== undefined) merged.set(name, [types.wrap_string(name), types.wrap(value)]);
  }
  return [...merged.values()].flat();
}

function encodeSection(items: Typed[]): Buffer {
  const map = types.wrap_map({});
  map.value = items;
  const descriptor = Buffer.from([0x00, SMALL_ULONG, SECTION.applicationProperties]);
  return Buffer.concat([descriptor, encodeValues([map])]);
}

/**
 * Sets application properties of a bare message, keeping the types of those it does not change.
 * Undefined values change nothing.
 */
export function setApplicationProperties(payload: Buffer, changes: PropertyChanges): Buffer {
  if (Object.values(changes).every((value) => value === undefined)) return payload;
  const sections = findSections(payload);
  const current = sections.find(({ code }) => code === SECTION.applicationProperties);
  const behind = sections.find(({ code }) => code > SECTION.applicationProperties);
  const start = current?.start ?? behind?.start ?? payload.length;
  const items =
    current === undefined
      ? []
      : mapItems(decodeValue(payload.subarray(current.valueStart, current.end)));
  return Buffer.concat([
    payload.subarray(0, start),
    encodeSection(mergeItems(items, changes)),
    payload.subarray(current?.end ?? start),
  ]);
}
