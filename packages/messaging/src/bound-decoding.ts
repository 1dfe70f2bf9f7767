/** Is what is needed of rhea 3.0.5, as rhea-promise 3.0.3 passes it on. */
export interface Codec {
  readonly types: { readonly Reader: { readonly prototype: Reader } };
  readonly message: { decode: (bytes: Buffer) => unknown };
}

interface Reader {
  readonly buffer: Buffer;
  read_n: (count: number) => unknown[];
  read_array_items: (count: number, type: unknown) => unknown[];
}

const bounded = new WeakSet<Reader>();

/**
 * Lets no message end a process or hold it up by what it says of itself. rhea reads as many items of a list, a map or an
 * array as are claimed: 13 bytes that claim four billion items, which a broker passes on unread where they are a body, took
 * all memory, and a claim of some millions took a second. What it cannot read it throws out of the connection, with all the
 * other messages of that; and the broker gives the message again. So there are never more items than bytes, and a message that
 * cannot be read comes as the sections that the broker wrote: without a body, to be refused by a name as any other.
 */
export function boundDecoding({ types, message }: Codec): void {
  const { prototype } = types.Reader;
  if (bounded.has(prototype)) return;
  bounded.add(prototype);
  const claims = new WeakMap<Reader, number>();
  // Over the whole of what is read: items that take no byte could be claimed anew in each of many arrays.
  const claim = (reader: Reader, count: number): void => {
    const claimed = (claims.get(reader) ?? 0) + count;
    claims.set(reader, claimed);
    if (claimed <= reader.buffer.length) return;
    throw new RangeError(`${claimed} items are claimed in ${reader.buffer.length} bytes`);
  };
  const { read_n: readItems, read_array_items: readArrayItems } = prototype;
  prototype.read_n = function readBoundItems(count) {
    claim(this, count);
    return readItems.call(this, count);
  };
  prototype.read_array_items = function readBoundArrayItems(count, type) {
    claim(this, count);
    return readArrayItems.call(this, count, type);
  };
  const { decode } = message;
  message.decode = (bytes) => {
    const { end, brokersEnd } = findSections(bytes);
    // What is no section rhea would print, whatever it holds.
    if (end < bytes.length) return decode(bytes.subarray(0, brokersEnd));
    try {
      return decode(bytes);
    } catch {
      return decode(bytes.subarray(0, brokersEnd));
    }
  };
}

const DESCRIBED = 0x00;
const SMALL_ULONG = 0x53;
const HEADER = 0x70;
const MESSAGE_ANNOTATIONS = 0x72;
const FOOTER = 0x78;
/** Gives how many bytes a value has, by the upper half of its constructor. */
const WIDTHS: Readonly<Record<number, number>> = { 4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16 };

/** Returns where the sections of a message end, and those at its begin that its broker writes: header and annotations. */
function findSections(bytes: Buffer): { readonly end: number; readonly brokersEnd: number } {
  let end = 0;
  let brokersEnd = 0;
  while (end < bytes.length) {
    const code = bytes[end + 2] ?? 0;
    const isSection = bytes[end] === DESCRIBED && bytes[end + 1] === SMALL_ULONG;
    if (!isSection || code < HEADER || code > FOOTER) break;
    const next = endOfValue(bytes, end + 3);
    if (next === undefined || next > bytes.length) break;
    // One of the same kind behind a body is whoever's sent it, and has the body before it.
    if (code <= MESSAGE_ANNOTATIONS && brokersEnd === end) brokersEnd = next;
    end = next;
  }
  return { end, brokersEnd };
}

function endOfValue(bytes: Buffer, start: number): number | undefined {
  const constructor = bytes[start];
  if (constructor === undefined) return undefined;
  const width = constructor >> 4;
  const fixed = WIDTHS[width];
  if (fixed !== undefined) return start + 1 + fixed;
  // Those of odd widths carry a size of four bytes, those of even ones a size of one.
  if (width < 0xa) return undefined;
  if (width % 2 === 0) return start + 2 + (bytes[start + 1] ?? 0);
  return start + 5 <= bytes.length ? start + 5 + bytes.readUInt32BE(start + 1) : undefined;
}
