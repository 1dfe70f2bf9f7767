/**
 * HTML as a tagged template in which every value is text unless it was made by the template itself. Values come from
 * other people's rows and messages: besides the five characters that mean something to HTML, all that `escapeValue`
 * would not hand to a terminal is written as its escape, so that a value can neither hide nor turn what stands beside
 * it.
 */
import { assert } from '@tandem/core';
import { escapeLines, escapeValue } from '../report/escape-text.ts';

/** A piece of a page that is fit to be sent. Only `html` makes one. */
export class Html {
  readonly #text: string;

  /** @param proof shows that it is made here, where what is put in was escaped. */
  constructor(text: string, proof: typeof MADE_HERE) {
    assert(proof === MADE_HERE, 'Html is made by the template html alone.');
    this.#text = text;
  }

  toString(): string {
    return this.#text;
  }
}

const MADE_HERE = Symbol('made by html');

type HtmlValue = Html | string | number | bigint | false | undefined | readonly HtmlValue[];

/** Makes a piece of a page. Throws where a value would stand outside quotes, or an address is not one of ours. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = parts[0] ?? '';
  values.forEach((value, index) => {
    checkPlace(text, value);
    text += textOf(value) + (parts[index + 1] ?? '');
  });
  return new Html(text, MADE_HERE);
}

/** A longer one is as high as some lines, and is scrolled within. */
const VALUE_LENGTH_MAX = 500;

/**
 * Returns a value of others, set apart so that letters written from right to left do not move their neighbours. One of
 * 64 KiB leaves room for what stands beside it.
 */
export function valueHtml(value: string): Html {
  return value.length <= VALUE_LENGTH_MAX
    ? html`<bdi class="value">${value}</bdi>`
    : html`<bdi class="value long" tabindex="0">${value}</bdi>`;
}

/** A longer text may be scrolled within, which a keyboard must reach. */
const LINES_LENGTH_MAX = 1_000;

/** Returns a text of several lines of others with its line breaks; one with a drawn table keeps its lines whole. */
export function linesHtml(text: string): Html {
  const lines = escapeLines(text).replace(SPECIAL, (found) => ENTITIES[found] ?? '');
  const isDrawn = text.includes('│');
  const focus = isDrawn || text.length > LINES_LENGTH_MAX ? ' tabindex="0"' : '';
  const kind = isDrawn ? 'lines drawn' : 'lines';
  return new Html(`<pre class="${kind}"${focus}>${lines}</pre>`, MADE_HERE);
}

const OPEN_TAG = /<[a-zA-Z][^<>]*$/;
const ADDRESS = /(?:href|src|action|formaction)="$/;

function checkPlace(before: string, value: HtmlValue): void {
  if (!OPEN_TAG.test(before.slice(-PLACE_LENGTH_MAX))) return;
  assert(!before.endsWith('='), 'A value in a tag stands in quotes.');
  if (!ADDRESS.test(before)) return;
  assert(
    typeof value === 'string' && /^[/#](?!\/)/.test(value),
    'An address on a page begins with one slash, or is a place on the page.',
  );
}

/** Tags are not longer than this before their last value. */
const PLACE_LENGTH_MAX = 2_000;

const SPECIAL = /[&<>"'`]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

function textOf(value: HtmlValue): string {
  if (value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(textOf).join('');
  return escapeValue(String(value)).replace(SPECIAL, (found) => ENTITIES[found] ?? '');
}
