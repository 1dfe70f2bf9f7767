/**
 * `$filter` as the Table service takes it:
 *
 *     filter     = conjunction *( "or" conjunction )
 *     conjunction = term *( "and" term )
 *     term       = [ "not" ] ( "(" filter ")" / operand [ operator operand ] )
 *     operator   = "eq" / "ne" / "gt" / "ge" / "lt" / "le"
 *     operand    = property / 'text' / number / 9L / true / false
 *                / datetime'..' / guid'..' / X'..' / binary'..'
 *
 * One side of a comparison names a property, the other gives a value, in either order. A property alone
 * means that it is true.
 */
import {
  COMPARISONS_MAX,
  type ComparisonOperator,
  type FieldValue,
  isDateTimeText,
  isGuidText,
  isInt32,
  isInt64,
  matches,
  type Predicate,
} from '@tandem/core';
import { toUtcText } from './edm-json.ts';
import { isPropertyName } from './entity-limits.ts';
import { TableError } from './table-error.ts';

/** In UTF-16 units; the service takes URLs of 32 KiB. */
export const FILTER_LENGTH_MAX = 32_768;
/** Bounds how many parentheses and negations stand within each other. */
export const FILTER_DEPTH_MAX = 100;

type Token =
  | { readonly kind: 'word' | 'open' | 'close' | 'end'; readonly text: string }
  | { readonly kind: 'value'; readonly text: string; readonly value: FieldValue };

/**
 * Throws `InvalidInput`, saying what stands where it should not, for what is no filter of the service, and
 * `NotImplemented` for what OData has beyond it.
 */
export function parseFilter(text: string): Predicate {
  if (text.length > FILTER_LENGTH_MAX) {
    throw invalid(`A filter has at most ${FILTER_LENGTH_MAX} characters.`);
  }
  const tokens = tokenize(text);
  const reader: Reader = { tokens, position: 0, depth: 0, comparisons: 0 };
  const predicate = readAlternatives(reader);
  if (peek(reader).kind !== 'end') throw unexpected(reader, 'the end');
  return predicate;
}

interface Reader {
  readonly tokens: readonly Token[];
  position: number;
  depth: number;
  comparisons: number;
}

const END: Token = { kind: 'end', text: 'the end' };

function peek({ tokens, position }: Reader): Token {
  return tokens[position] ?? END;
}

function takeWord(reader: Reader, word: string): boolean {
  const token = peek(reader);
  if (token.kind !== 'word' || token.text !== word) return false;
  reader.position += 1;
  return true;
}

function readAlternatives(reader: Reader): Predicate {
  return readJoined(reader, 'or', () => readJoined(reader, 'and', () => readTerm(reader)));
}

function readJoined(reader: Reader, kind: 'and' | 'or', readPart: () => Predicate): Predicate {
  const first = readPart();
  const parts = [first];
  while (takeWord(reader, kind)) parts.push(readPart());
  return parts.length === 1 ? first : { kind, parts };
}

function readTerm(reader: Reader): Predicate {
  if (takeWord(reader, 'not')) {
    return deeper(reader, () => ({ kind: 'not', part: readTerm(reader) }));
  }
  if (peek(reader).kind !== 'open') return readComparison(reader);
  reader.position += 1;
  const inner = deeper(reader, () => readAlternatives(reader));
  if (peek(reader).kind !== 'close') throw unexpected(reader, '")"');
  reader.position += 1;
  return inner;
}

function deeper(reader: Reader, read: () => Predicate): Predicate {
  reader.depth += 1;
  if (reader.depth > FILTER_DEPTH_MAX) {
    throw invalid(`A filter is nested at most ${FILTER_DEPTH_MAX} deep.`);
  }
  const predicate = read();
  reader.depth -= 1;
  return predicate;
}

type Operand =
  | { readonly kind: 'property'; readonly name: string }
  | { readonly kind: 'value'; readonly value: FieldValue };

function readComparison(reader: Reader): Predicate {
  const left = readOperand(reader);
  reader.comparisons += 1;
  if (reader.comparisons > COMPARISONS_MAX) {
    throw invalid(`A filter has at most ${COMPARISONS_MAX} comparisons.`);
  }
  const { kind, text: operator } = peek(reader);
  if (kind === 'word' && ARITHMETIC.has(operator)) throw notImplemented(operator);
  if (!isOperator(operator) || kind !== 'word') return asBoolean(reader, left);
  reader.position += 1;
  return join(left, operator, readOperand(reader));
}

function join(left: Operand, operator: ComparisonOperator, right: Operand): Predicate {
  if (left.kind === 'property' && right.kind === 'value') {
    return { kind: 'compare', name: left.name, operator, value: right.value };
  }
  if (left.kind === 'value' && right.kind === 'property') {
    const mirrored = MIRRORED[operator];
    return { kind: 'compare', name: right.name, operator: mirrored, value: left.value };
  }
  if (left.kind === 'property' || right.kind === 'property') {
    throw invalid('A comparison has a property on one side and a value on the other.');
  }
  const constant: Predicate = { kind: 'compare', name: '', operator, value: right.value };
  return { kind: 'constant', value: matches(constant, () => left.value) };
}

function asBoolean(reader: Reader, operand: Operand): Predicate {
  if (operand.kind === 'property') {
    const value: FieldValue = { type: 'Boolean', value: true };
    return { kind: 'compare', name: operand.name, operator: 'eq', value };
  }
  if (operand.value.type === 'Boolean') return { kind: 'constant', value: operand.value.value };
  throw unexpected(reader, 'a comparison');
}

const MIRRORED: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  eq: 'eq',
  ne: 'ne',
  gt: 'lt',
  ge: 'le',
  lt: 'gt',
  le: 'ge',
};

function isOperator(text: string): text is ComparisonOperator {
  return Object.hasOwn(MIRRORED, text);
}

/** OData has them and the service has not, which it says by a code of its own. */
const FUNCTIONS: ReadonlySet<string> = new Set(
  'substringof endswith startswith length indexof insert remove replace substring tolower toupper trim concat day hour minute month second year round floor ceiling isof cast'.split(
    ' ',
  ),
);
const ARITHMETIC: ReadonlySet<string> = new Set(['add', 'sub', 'mul', 'div', 'mod']);

function notImplemented(word: string): TableError {
  return new TableError('NotImplemented', `A filter has no "${word}".`);
}

const RESERVED: ReadonlySet<string> = new Set(['and', 'or', 'not', ...Object.keys(MIRRORED)]);

function readOperand(reader: Reader): Operand {
  const token = peek(reader);
  if (token.kind === 'value') {
    reader.position += 1;
    return { kind: 'value', value: token.value };
  }
  const isName = token.kind === 'word' && isPropertyName(token.text);
  if (!isName || RESERVED.has(token.text)) throw unexpected(reader, 'a property or a value');
  reader.position += 1;
  if (FUNCTIONS.has(token.text) && peek(reader).kind === 'open') throw notImplemented(token.text);
  return { kind: 'property', name: token.text };
}

// One alternative after the other; what none of them takes is refused where it stands.
const TOKEN =
  /\s*(?:(?<open>\()|(?<close>\))|(?<typed>[A-Za-z]*)'(?<text>(?:[^']|'')*)'|(?<word>[^\s()']+))/uy;

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const position = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw invalid(`The text at character ${position} has no end.`);
    tokens.push(toToken(groups));
  }
  return tokens;
}

function toToken(groups: Readonly<Record<string, string | undefined>>): Token {
  if (groups['open'] !== undefined) return { kind: 'open', text: '"("' };
  if (groups['close'] !== undefined) return { kind: 'close', text: '")"' };
  const { text, word = '' } = groups;
  if (text !== undefined) {
    const content = text.replaceAll("''", "'");
    return { kind: 'value', text: 'a text', value: toTyped(groups['typed'] ?? '', content) };
  }
  const value = toNumber(word) ?? BOOLEANS.get(word.toLowerCase());
  return value === undefined ? { kind: 'word', text: word } : { kind: 'value', text: word, value };
}

/** Are written in any case. */
const BOOLEANS: ReadonlyMap<string, FieldValue> = new Map([
  ['true', { type: 'Boolean', value: true }],
  ['false', { type: 'Boolean', value: false }],
]);

const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const LONG = /^(-?\d+)[lL]?$/;

function toNumber(word: string): FieldValue | undefined {
  const whole = LONG.exec(word)?.[1];
  if (whole !== undefined) {
    if (!/l$/i.test(word) && isInt32(Number(whole))) return { type: 'Int32', value: Number(whole) };
    const long = BigInt(whole);
    if (isInt64(long)) return { type: 'Int64', value: long };
    throw invalid(`${whole} is no number of 64 bits.`);
  }
  return NUMBER.test(word) ? { type: 'Double', value: Number(word) } : undefined;
}

function toTyped(type: string, content: string): FieldValue {
  switch (type) {
    case '':
      return { type: 'String', value: content };
    case 'datetime': {
      const value = toUtcText(content);
      if (value !== undefined && isDateTimeText(value)) return { type: 'DateTime', value };
      break;
    }
    case 'guid':
      if (isGuidText(content)) return { type: 'Guid', value: content.toLowerCase() };
      break;
    case 'X':
    case 'binary':
      if (/^(?:[0-9a-f]{2})*$/i.test(content)) {
        return { type: 'Binary', value: new Uint8Array(Buffer.from(content, 'hex')) };
      }
      break;
    default:
      throw invalid(`There is no type "${type.slice(0, 20)}" of values.`);
  }
  throw invalid(`What is given as ${type} is none.`);
}

function unexpected(reader: Reader, wanted: string): TableError {
  const found = peek(reader).text.slice(0, 40);
  return invalid(`Syntax error in the filter: ${found} stands where ${wanted} should.`);
}

function invalid(detail: string): TableError {
  return new TableError('InvalidInput', detail);
}
