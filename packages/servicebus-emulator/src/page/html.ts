import { createHash } from 'node:crypto';

/** A piece of a page in which every value was escaped. Only `html` makes one. */
export class Html {
  readonly text: string;

  constructor(text: string, _proof: typeof MADE_HERE) {
    this.text = text;
  }
}

const MADE_HERE = Symbol('made by html');

type HtmlValue = Html | string | number | undefined | readonly Html[];

/** Makes a piece of a page; values that are no pieces themselves are text. In a tag they stand in quotes. */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  const text = parts.map((part, index) => part + textOf(values[index])).join('');
  return new Html(text, MADE_HERE);
}

function textOf(value: HtmlValue): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(({ text }) => text).join('');
  return String(value)
    .replace(UNSHOWABLE, (found) => (found === '\n' ? found : escapesOf(found)))
    .replace(SPECIAL, (found) => ENTITIES[found] ?? '');
}

/**
 * Control characters, characters that turn the direction of what follows or hide, line separators and halves of
 * surrogate pairs: written as escapes, so that a message can neither hide nor turn what stands beside it.
 */
const UNSHOWABLE = /(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const SPECIAL = /[&<>"'`]/g;
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

function escapesOf(found: string): string {
  return Array.from(
    { length: found.length },
    (_, index) => `\\u${found.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}

const STYLE = `
:root { color-scheme: light dark; --text: light-dark(#16202b, #e6ebf0); --page: light-dark(#fff, #101418);
  --accent: light-dark(#0b57c2, #7db3ff); --line: light-dark(#d9dee4, #2c353f); --bad: light-dark(#a8071a, #ff9d94); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem auto; max-width: 72rem; padding: 0 1rem;
  color: var(--text); background: var(--page); }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin-top: 2rem; }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .8rem .4rem 0; text-align: left; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
article { border: 1px solid var(--line); border-radius: .4rem; margin: 1rem 0; padding: .3rem 1rem; }
article p, dl { overflow-wrap: anywhere; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .1rem 1rem; }
dd { margin: 0; }
[role=status] { border-left: .3rem solid var(--accent); padding-left: .7rem; }
[role=alert] { border-left: .3rem solid var(--bad); padding-left: .7rem; color: var(--bad); }
label { display: block; margin: .5rem 0 .2rem; } label.inline { display: inline; }
textarea, input[type=text] { font: inherit; width: 100%; box-sizing: border-box; color: inherit;
  background: var(--page); border: 1px solid light-dark(#717b86, #8b96a2); }
button { font: inherit; padding: .3rem .9rem; }
`;

/** Allows no script, no picture and no other site; the style by its digest. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
  // With none at all, browsers would say of a form of this page that it came from nowhere.
  'referrer-policy': 'same-origin',
};

export function writePage(title: string, content: Html): string {
  const style = new Html(`<style>${STYLE}</style>`, MADE_HERE);
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>${style}</head>
<body><main><h1>${title}</h1>
${content}</main></body></html>
`.text;
}
