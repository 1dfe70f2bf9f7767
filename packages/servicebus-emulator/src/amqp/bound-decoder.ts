import { types } from '../message/amqp-types.ts';
import { ProtocolError } from './rhea-internals.ts';

/**
 * Bounds what rhea's decoder believes. It makes room for as many items as a list or an array
 * announces, and fills arrays of items that take no bytes, so that a frame of 20 bytes could ask for
 * all of the memory. Holds for everything in this process that uses the same rhea.
 */

interface Reader {
  remaining(): number;
}

interface ReaderPrototype {
  read_n: (this: Reader, count: number) => unknown[];
  read_array_items: (this: Reader, count: number, type: { readonly width: number }) => unknown[];
}

/** Items of an array that are all the same, and of no content. */
const EMPTY_ITEMS_MAX = 65_536;

const prototype = (types as unknown as { Reader: { prototype: ReaderPrototype } }).Reader.prototype;
const readItems = prototype.read_n;
const readArrayItems = prototype.read_array_items;

function check(count: number, countMax: number): void {
  if (count > countMax) throw new ProtocolError(`${count} items are announced, ${countMax} can be`);
}

let isBound = false;

/** May be called more than once. */
export function boundDecoder(): void {
  if (isBound) return;
  isBound = true;
  prototype.read_n = function readBounded(count) {
    check(count, this.remaining());
    return readItems.call(this, count);
  };
  prototype.read_array_items = function readBounded(count, type) {
    check(count, type.width === 0 ? EMPTY_ITEMS_MAX : this.remaining());
    return readArrayItems.call(this, count, type);
  };
}
