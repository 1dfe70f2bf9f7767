const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** One line, without its end; undefined when it is longer than a line may be. */
export interface RawLine {
  readonly bytes: Buffer | undefined;
}

/**
 * The lines of a stream of bytes, in pieces of any size; the last one may lack its end. Reads on only
 * when asked for more, and holds no more than a piece and `lineBytesMax`.
 */
export async function* splitLines(
  pieces: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<RawLine> {
  let begun: Buffer[] = [];
  let length = 0;
  const add = (part: Buffer): void => {
    length += part.length;
    if (length <= lineBytesMax) begun.push(part);
    else begun = [];
  };
  const take = (): RawLine => {
    const bytes = length > lineBytesMax ? undefined : trimEnd(Buffer.concat(begun));
    begun = [];
    length = 0;
    return { bytes };
  };
  for await (const piece of pieces) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      add(piece.subarray(from, end));
      yield take();
      from = end + 1;
    }
    if (from < piece.length) add(piece.subarray(from));
  }
  if (length > 0) yield take();
}

function trimEnd(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}
