import { Type } from 'typebox';
import { describe, expect, test } from 'vitest';
import { describeEnvironment, describeProblem, readEnvironment } from './environment.ts';

const Schema = Type.Object({
  REGION_ID: Type.String({
    description: 'The name of this region.',
    pattern: '^[a-z]+$',
    examples: ['east'],
  }),
  PORT: Type.Integer({
    description: 'Where to listen; 0 takes any free port.',
    minimum: 0,
    maximum: 65_535,
    default: 8_080,
    examples: [8_080],
  }),
  SAMPLE_RATIO: Type.Number({ minimum: 0, maximum: 1, default: 0.5 }),
  IS_EAGER: Type.Boolean({ description: 'Begin at once.', default: false }),
  LOG_LEVEL: Type.Union([Type.Literal('info'), Type.Literal('warn')], { default: 'info' }),
  DATA_ACCESS: Type.Enum(['multi-region', 'memory'], { default: 'multi-region' }),
  STORAGE_CONNECTION: Type.Optional(Type.String({ description: 'A | B.', minLength: 10 })),
});

describe('reading the environment', () => {
  test('coerces what is set and fills in what is not', () => {
    const reading = readEnvironment(Schema, {
      REGION_ID: ' east ',
      PORT: '0',
      SAMPLE_RATIO: '0.25',
      IS_EAGER: 'TRUE',
      LOG_LEVEL: 'warn',
      UNKNOWN: 'ignored',
    });
    expect(reading).toEqual({
      ok: true,
      value: {
        REGION_ID: 'east',
        PORT: 0,
        SAMPLE_RATIO: 0.25,
        IS_EAGER: true,
        LOG_LEVEL: 'warn',
        DATA_ACCESS: 'multi-region',
      },
    });
  });

  test('what it gives cannot be changed, and has the types of the schema', () => {
    const reading = readEnvironment(Schema, { REGION_ID: 'east' });
    if (!reading.ok) throw new Error('the environment was good');
    const port: number = reading.value.PORT;
    expect(port).toBe(8_080);
    expect(Object.isFrozen(reading.value)).toBe(true);
  });

  test.each(['', '  '])('an empty text (%j) counts as unset', (text) => {
    const reading = readEnvironment(Schema, { REGION_ID: 'east', PORT: text });
    expect(reading).toMatchObject({ ok: true, value: { PORT: 8_080 } });
    expect(readEnvironment(Schema, { REGION_ID: text })).toMatchObject({
      ok: false,
      problems: [{ variable: 'REGION_ID', kind: 'missing' }],
    });
  });

  test('finds all problems at once, each with variable, rule and example', () => {
    const reading = readEnvironment(Schema, {
      PORT: '80 80',
      LOG_LEVEL: 'loud',
      IS_EAGER: 'perhaps',
      STORAGE_CONNECTION: 'short',
    });
    if (reading.ok) throw new Error('the environment was bad');
    expect(reading.problems.map(describeProblem)).toEqual([
      'REGION_ID is not set: it must be a text that matches ^[a-z]+$, for example REGION_ID=east.',
      'PORT cannot be used: it must be a whole number from 0 to 65535, for example PORT=8080.',
      'IS_EAGER cannot be used: it must be true or false.',
      'LOG_LEVEL cannot be used: it must be one of info, warn.',
      'STORAGE_CONNECTION cannot be used: it must be a text of at least 10 characters.',
    ]);
  });

  test.each([
    ['PORT', '1.5'],
    ['PORT', '1e3'],
    ['PORT', '0x10'],
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['SAMPLE_RATIO', '1.01'],
    ['SAMPLE_RATIO', 'NaN'],
    ['REGION_ID', 'East'],
    ['DATA_ACCESS', 'Memory'],
  ])('refuses %s=%s', (variable, text) => {
    expect(readEnvironment(Schema, { REGION_ID: 'east', [variable]: text })).toMatchObject({
      ok: false,
      problems: [{ variable, kind: 'invalid' }],
    });
  });

  test('a problem never repeats the value, which may be a secret', () => {
    const reading = readEnvironment(Schema, { REGION_ID: 'east', STORAGE_CONNECTION: 'hunter2' });
    expect(JSON.stringify(reading)).not.toContain('hunter2');
  });

  test('a default that breaks its own rule is a fault of the program', () => {
    const schema = Type.Object({ PORT: Type.Integer({ minimum: 1, default: 0 }) });
    expect(() => readEnvironment(schema, {})).toThrow('default');
  });
});

describe('describing the environment', () => {
  test('gives a Markdown table of every variable', () => {
    expect(describeEnvironment(Schema).split('\n')).toEqual([
      '| Variable | Meaning | Value | Default | Example |',
      '| --- | --- | --- | --- | --- |',
      '| `REGION_ID` | The name of this region. | a text that matches ^[a-z]+$ | **required** | `east` |',
      '| `PORT` | Where to listen; 0 takes any free port. | a whole number from 0 to 65535 | `8080` | `8080` |',
      '| `SAMPLE_RATIO` |  | a number from 0 to 1 | `0.5` |  |',
      '| `IS_EAGER` | Begin at once. | true or false | `false` |  |',
      '| `LOG_LEVEL` |  | one of info, warn | `info` |  |',
      '| `DATA_ACCESS` |  | one of multi-region, memory | `multi-region` |  |',
      '| `STORAGE_CONNECTION` | A \\| B. | a text of at least 10 characters | unset |  |',
      '',
    ]);
  });
});

describe('D2: a variable as it was pasted', () => {
  const schema = Type.Object({
    NAME: Type.Optional(Type.String()),
    COUNT: Type.Optional(Type.Integer()),
  });

  test.each(['\uFEFF7\n', '"7"', "'7'", ' 7\u00A0', '7\u200B'])('%j is 7', (given) => {
    const reading = readEnvironment(schema, { NAME: given, COUNT: given });
    expect(reading).toEqual({ ok: true, value: { NAME: '7', COUNT: 7 } });
  });

  test('is unset when nothing is left of it', () => {
    expect(readEnvironment(schema, { NAME: '""', COUNT: '\uFEFF' })).toEqual({
      ok: true,
      value: {},
    });
  });

  test('names the character that nobody sees', () => {
    const reading = readEnvironment(schema, { NAME: 'se\u200Bcret' });
    const problems = reading.ok ? [] : reading.problems.map(describeProblem);
    expect(problems).toEqual([
      'NAME cannot be used: it holds a character that nobody sees, U+200B, at place 3.',
    ]);
  });
});
