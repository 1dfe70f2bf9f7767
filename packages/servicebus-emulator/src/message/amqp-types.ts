import rhea, { type Typed } from 'rhea';

/** rhea has these at run time, its typings leave them out. */
interface CodecTypes {
  readonly Reader: new (buffer: Buffer) => { read(): Typed };
  readonly Writer: new () => { write(value: Typed): void; toBuffer(): Buffer };
}

/** rhea is one CommonJS object: its parts cannot be imported by name. */
export const { types } = rhea;

const codec = types as unknown as CodecTypes;

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
