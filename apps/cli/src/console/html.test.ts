import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Html, html, linesHtml, valueHtml } from './html.ts';

const RTL = '\u202E';

describe('a value on a page', () => {
  test.each([
    ['<script>alert(1)</script>', '&lt;script&gt;alert(1)&lt;/script&gt;'],
    ['" onload="x', '&quot; onload=&quot;x'],
    ["' onload='x", '&#39; onload=&#39;x'],
    ['&amp;', '&amp;amp;'],
    ['`x`', '&#96;x&#96;'],
    [`a${RTL}b`, 'a\\u202eb'],
    ['a\u0000\u001B[31mb', 'a\\u0000\\u001b[31mb'],
    ['a\nb', 'a\\nb'],
    ['a\uD800b', 'a\\ud800b'],
  ])('%j is text', (value, shown) => {
    expect(String(html`<p title="${value}">${value}</p>`)).toBe(`<p title="${shown}">${shown}</p>`);
    expect(String(valueHtml(value))).toBe(`<bdi class="value">${shown}</bdi>`);
  });

  test('never begins a tag, ends an attribute, or hides', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), (value) => {
        const shown = String(html`${value}`);
        expect(shown).not.toMatch(/[<>"'`]/);
        expect(shown).not.toMatch(/(?![\u200C\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
      }),
    );
  });

  test('keeps its line breaks where it is a text of several lines', () => {
    expect(String(linesHtml('a<\nb\u0007'))).toBe('<pre class="lines">a&lt;\nb\\u0007</pre>');
  });

  test('keeps its lines whole where they draw a table, which a keyboard can scroll', () => {
    expect(String(linesHtml('│ a │\n│ b │'))).toBe(
      '<pre class="lines drawn" tabindex="0">│ a │\n│ b │</pre>',
    );
  });

  test('may be a piece that was made before, several of them, or nothing', () => {
    const items = ['<a>', '<b>'].map((name) => html`<li>${name}</li>`);
    expect(String(html`<ul>${items}</ul>${undefined}${false}${0}`)).toBe(
      '<ul><li>&lt;a&gt;</li><li>&lt;b&gt;</li></ul>0',
    );
  });

  test('cannot pass for a piece of a page by looking like one', () => {
    expect(() => new Html('<b>', Symbol('made by html') as never)).toThrow(
      'by the template html alone',
    );
    expect(() => String(html`${{ toString: () => '<b>' } as never}`)).not.toThrow();
    expect(String(html`${{ toString: () => '<b>' } as never}`)).toBe('&lt;b&gt;');
  });
});

describe('the template refuses', () => {
  test('a value in a tag without quotes', () => {
    expect(() => html`<p class=${'x'}>`).toThrow('stands in quotes');
  });

  test.each(['javascript:alert(1)', 'https://evil.example', '//evil.example', 'x', ''])(
    'the address %j',
    (address) => {
      expect(() => html`<a href="${address}">`).toThrow('begins with one slash');
      expect(() => html`<form class="${'a'}" action="${address}">`).toThrow(
        'begins with one slash',
      );
    },
  );
});

test('an address of ours is taken', () => {
  expect(String(html`<a href="${'/x'}">${'href='}</a>`)).toBe('<a href="/x">href=</a>');
});
