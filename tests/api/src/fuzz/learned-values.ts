import type { Answer } from '../document/answer-checker.ts';

/** What the server said before, by the name of the parameter that takes it. */
export interface LearnedValues {
  /** Undefined when nothing was learned for that parameter. */
  pick(parameter: string, salt: number): string | undefined;
  learn(answer: Answer): void;
}

const REMEMBERED_MAX = 200;
/** Where the name of what is learned is not that of the parameter. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  etag: ['if-match', 'if-none-match'],
  'x-tandem-version': ['x-tandem-min-version'],
  nextCursor: ['cursor'],
};

export function createLearnedValues(): LearnedValues {
  const values = new Map<string, string[]>();
  const remember = (name: string, value: string): void => {
    for (const parameter of PARAMETERS[name] ?? [name.replace(/^x-tandem-/, ''), name]) {
      const known = values.get(parameter) ?? [];
      known.push(value);
      if (known.length > REMEMBERED_MAX) known.shift();
      values.set(parameter, known);
    }
  };
  return {
    pick(parameter, salt) {
      const known = values.get(parameter);
      return known?.[salt % known.length];
    },
    learn({ headers, body, status }) {
      if (status >= 300) return;
      for (const [name, value] of Object.entries(headers)) {
        if (typeof value === 'string') remember(name, value);
      }
      for (const [name, value] of membersOf(body)) {
        if (typeof value === 'string' && value !== '') remember(name, value);
      }
    },
  };
}

function membersOf(body: Buffer): [string, unknown][] {
  if (body[0] !== 0x7b) return [];
  try {
    return Object.entries(JSON.parse(body.toString('utf8')) as object);
  } catch (error) {
    // Several lines; or none of JSON, which the checker of answers tells.
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}
