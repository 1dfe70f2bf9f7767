/** The sections of an AMQP message (part 3.2 of the specification), found without decoding them. */
export const SECTION = {
  header: 0x70,
  deliveryAnnotations: 0x71,
  messageAnnotations: 0x72,
  properties: 0x73,
  applicationProperties: 0x74,
  data: 0x75,
  sequence: 0x76,
  value: 0x77,
  footer: 0x78,
} as const;

export interface Section {
  readonly code: number;
  /** Where the section begins, and where its value (behind the descriptor) begins and ends. */
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** The bytes are no AMQP message. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

const DESCRIBED = 0x00;
const SMALL_ULONG = 0x53;
const ULONG = 0x80;
const FIXED_WIDTH_BYTES: Readonly<Record<number, number>> = {
  4: 0,
  5: 1,
  6: 2,
  7: 4,
  8: 8,
  9: 16,
};

/** The offset behind the value whose constructor is at the offset. */
export function endOfValue(bytes: Buffer, offset: number): number {
  const width = bytes.readUInt8(offset) >> 4;
  const fixed = FIXED_WIDTH_BYTES[width];
  if (fixed !== undefined) return offset + 1 + fixed;
  if (width < 0xa) throw new DecodeError(`Unknown AMQP type at byte ${offset}`);
  // Odd widths (b, d, f) carry a four-byte size, even ones (a, c, e) a one-byte size.
  if (width % 2 === 1) return offset + 5 + bytes.readUInt32BE(offset + 1);
  return offset + 2 + bytes.readUInt8(offset + 1);
}

function readSection(bytes: Buffer, start: number): Section {
  if (bytes.readUInt8(start) !== DESCRIBED) {
    throw new DecodeError(`Expected a message section at byte ${start}`);
  }
  const form = bytes.readUInt8(start + 1);
  if (form !== SMALL_ULONG && form !== ULONG) {
    throw new DecodeError(`Expected the number of a message section at byte ${start}`);
  }
  const code = bytes.readUInt8(form === SMALL_ULONG ? start + 2 : start + 9);
  const valueStart = start + (form === SMALL_ULONG ? 3 : 10);
  return { code, start, valueStart, end: endOfValue(bytes, valueStart) };
}

/** Finds all sections. Throws DecodeError when the bytes are not a sequence of sections. */
export function findSections(bytes: Buffer): Section[] {
  const sections: Section[] = [];
  let offset = 0;
  try {
    while (offset < bytes.length) {
      const section = readSection(bytes, offset);
      sections.push(section);
      offset = section.end;
    }
  } catch (error) {
    if (error instanceof DecodeError) throw error;
    throw new DecodeError(`The message ends within a section at byte ${offset}`, { cause: error });
  }
  if (offset !== bytes.length) throw new DecodeError('The last section of the message is cut off');
  return sections;
}

/** The content of a data section: what is behind the size of its binary value. */
export function dataOf(bytes: Buffer, section: Section): Buffer {
  const long = bytes.readUInt8(section.valueStart) >> 4 === 0xb;
  return bytes.subarray(section.valueStart + (long ? 5 : 2), section.end);
}

/**
 * A GUID's first three parts are little-endian in a delivery tag and big-endian in a UUID. The
 * same exchange of bytes leads from the one to the other and back.
 */
export function reorderLockToken(token: Buffer): Buffer {
  const reordered = Buffer.from(token);
  reordered.subarray(0, 4).reverse();
  reordered.subarray(4, 6).reverse();
  reordered.subarray(6, 8).reverse();
  return reordered;
}
