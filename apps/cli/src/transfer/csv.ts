// Comma-separated values by RFC 4180, one record after the other out of chunks of text: fields may be quoted, and quoted
// ones hold commas, line ends and doubled quotes. https://www.rfc-editor.org/rfc/rfc4180

export interface CsvField {
  readonly text: string;
  /** Tells an empty text (`""`) from nothing. */
  readonly isQuoted: boolean;
}

export type CsvRecord =
  | { readonly kind: 'record'; readonly fields: readonly CsvField[] }
  /** Completes "it …". The record is read over to its end, as far as there is one. */
  | { readonly kind: 'faulty'; readonly problem: string };

export interface CsvOptions {
  /** Bounds a record, in UTF-16 units. */
  readonly unitsMax: number;
  readonly fieldsMax: number;
}

/** Where the reader stands in a field. */
type Place = 'begin' | 'plain' | 'quoted' | 'after-quote';

/** Yields the records; an empty line is none, and neither is the byte order mark before the first. */
export async function* readCsv(
  chunks: AsyncIterable<string>,
  options: CsvOptions,
): AsyncGenerator<CsvRecord> {
  const reader = new CsvReader(options);
  for await (const chunk of chunks) yield* reader.push(chunk);
  yield* reader.end();
}

class CsvReader {
  readonly #options: CsvOptions;
  #place: Place = 'begin';
  #text = '';
  #fields: CsvField[] = [];
  #units = 0;
  #problem: string | undefined;
  #hasBegun = false;
  #isQuoted = false;

  constructor(options: CsvOptions) {
    this.#options = options;
  }

  *push(chunk: string): Generator<CsvRecord> {
    for (const unit of this.#hasBegun ? chunk : chunk.replace(/^\uFEFF/, '')) {
      this.#hasBegun = true;
      const isLineEnd = unit === '\n' && this.#place !== 'quoted';
      if (isLineEnd) yield* this.#endRecord();
      else this.#take(unit);
    }
  }

  *end(): Generator<CsvRecord> {
    if (this.#place === 'quoted') this.#problem ??= 'ends within a quoted field';
    yield* this.#endRecord();
  }

  #take(unit: string): void {
    this.#units += unit.length;
    if (this.#units > this.#options.unitsMax) {
      this.#problem ??= `has more than ${this.#options.unitsMax} characters`;
      this.#text = '';
      this.#fields = [];
    }
    switch (this.#place) {
      case 'begin':
        if (unit === '"') this.#place = 'quoted';
        else this.#takePlain(unit);
        this.#isQuoted = unit === '"';
        return;
      case 'plain':
        if (unit === '"') this.#problem ??= 'has a quote within a field that is not quoted';
        this.#takePlain(unit);
        return;
      case 'quoted':
        if (unit === '"') this.#place = 'after-quote';
        else this.#append(unit);
        return;
      case 'after-quote':
      default:
        this.#takeAfterQuote(unit);
    }
  }

  #takePlain(unit: string): void {
    if (unit === ',') this.#endField();
    else {
      this.#place = 'plain';
      this.#append(unit);
    }
  }

  #takeAfterQuote(unit: string): void {
    if (unit === '"') {
      this.#place = 'quoted';
      this.#append(unit);
    } else if (unit === ',') this.#endField();
    else if (unit !== '\r') this.#problem ??= 'has something behind a quoted field';
  }

  #append(unit: string): void {
    if (this.#problem === undefined) this.#text += unit;
  }

  #endField(): void {
    const field = { text: this.#text, isQuoted: this.#isQuoted };
    if (this.#problem === undefined) this.#fields.push(field);
    if (this.#fields.length > this.#options.fieldsMax) {
      this.#problem ??= `has more than ${this.#options.fieldsMax} fields`;
    }
    this.#text = '';
    this.#isQuoted = false;
    this.#place = 'begin';
  }

  *#endRecord(): Generator<CsvRecord> {
    if (!this.#isQuoted) this.#text = this.#text.replace(/\r$/, '');
    this.#endField();
    const [first] = this.#fields;
    const isEmpty = this.#fields.length === 1 && first?.text === '' && !first.isQuoted;
    const problem = this.#problem;
    const fields = this.#fields;
    this.#fields = [];
    this.#units = 0;
    this.#problem = undefined;
    if (problem !== undefined) yield { kind: 'faulty', problem };
    else if (!isEmpty) yield { kind: 'record', fields };
  }
}

/** Some readers take the last three for the end of a line, where no quotes stand around them. */
const NEEDS_QUOTES = /[",\r\n\u0085\u2028\u2029]|^\s|\s$|^\uFEFF/;

/** Returns one line with its end; nothing for a field that is undefined, and quotes for an empty text. */
export function csvLine(fields: readonly (string | undefined)[]): string {
  const texts = fields.map((field) => {
    if (field === undefined) return '';
    const isPlain = field !== '' && !NEEDS_QUOTES.test(field);
    return isPlain ? field : `"${field.replaceAll('"', '""')}"`;
  });
  return `${texts.join(',')}\r\n`;
}
