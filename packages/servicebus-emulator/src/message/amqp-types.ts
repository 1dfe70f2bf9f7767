import rhea, { type Typed } from 'rhea';
import { ProtocolError } from '../amqp/rhea-internals.ts';

interface Reader {
  read(): Typed;
  remaining(): number;
  read_n: (count: number) => unknown[];
  read_array_items: (count: number, type: { readonly width: number }) => unknown[];
}

/** rhea has these at run time, its typings leave them out. */
interface CodecTypes {
  readonly Reader: { new (buffer: Buffer): Reader; readonly prototype: Reader };
  readonly Writer: new () => { write(value: Typed): void; toBuffer(): Buffer };
}

/** rhea is one CommonJS object: its parts cannot be imported by name. */
export const { types } = rhea;

const codec = types as unknown as CodecTypes;

/** Items of an array that are all the same, and of no content. */
const EMPTY_ITEMS_MAX = 65_536;

/**
 * Bounds what rhea's decoder believes. It makes room for as many items as a list or an array
 * announces, and fills arrays of items that take no bytes, so that a frame of 20 bytes could ask for
 * all of the memory. Holds for everything in this process that uses the same rhea.
 */
function boundDecoder({ prototype }: CodecTypes['Reader']): void {
  const { read_n: readItems, read_array_items: readArrayItems } = prototype;
  prototype.read_n = function readBounded(count) {
    check(count, this.remaining());
    return readItems.call(this, count);
  };
  prototype.read_array_items = function readBounded(count, type) {
    check(count, type.width === 0 ? EMPTY_ITEMS_MAX : this.remaining());
    return readArrayItems.call(this, count, type);
  };
}

function check(count: number, countMax: number): void {
  if (count > countMax) throw new ProtocolError(`${count} items are announced, ${countMax} can be`);
}

boundDecoder(codec.Reader);

/** Decodes one AMQP value from the start of the bytes. Throws when they are not one. */
export function decodeValue(bytes: Buffer): Typed {
  return new codec.Reader(bytes).read();
}

export function encodeValues(values: readonly Typed[]): Buffer {
  const writer = new codec.Writer();
  for (const value of values) writer.write(value);
  return Buffer.from(writer.toBuffer());
}

/** The items of a map: key, value, key, value... Empty when the value is not a map. */
export function mapItems(value: Typed): Typed[] {
  return types.is_map(value) ? (value.value as Typed[]) : [];
}
