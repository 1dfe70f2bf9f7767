/** Reads what flags of the benchmarks are given; what is no such value is refused, and the bound named. */
import { InvalidArgumentError } from 'commander';

const COUNTS_MAX = 10_000_000;

/** A number above 0. */
export function positiveUpTo(max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (value > 0 && value <= max) return value;
    throw new InvalidArgumentError(`Give a number above 0, up to ${max}.`);
  };
}

export const positive = positiveUpTo(COUNTS_MAX);

/** Several, as `10000,100000`. */
export function readSizes(text: string): number[] {
  return text.split(',').map(positive);
}
