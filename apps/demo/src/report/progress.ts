import { MultiBar, type SingleBar } from 'cli-progress';

const LINE_EVERY_MS = 5_000;
const FORMAT = '{label} [{bar}] {value}/{total} | {duration_formatted}';
const LABEL_LENGTH = 24;

/** Tells a person how far the demo is, on stderr: bars on a terminal, plain lines elsewhere. */
export interface Progress {
  say(line: string): void;
  /** Begins a bar; the one before must have ended. */
  begin(label: string, total: number): void;
  update(value: number): void;
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? createBars(stream) : createLines((line) => stream.write(`${line}\n`));
}

function createBars(stream: NodeJS.WriteStream): Progress {
  let bars: MultiBar | undefined;
  let bar: SingleBar | undefined;
  return {
    say(line) {
      if (bars === undefined) stream.write(`${line}\n`);
      else bars.log(`${line}\n`);
    },
    begin(label, total) {
      bars = new MultiBar({ stream, format: FORMAT, hideCursor: true });
      bar = bars.create(total, 0, { label: label.padEnd(LABEL_LENGTH) });
    },
    update: (value) => bar?.update(value),
    end() {
      bars?.stop();
      bars = undefined;
      bar = undefined;
    },
  };
}

/** Writes at most one line in five seconds, and one at the end. */
export function createLines(
  write: (line: string) => void,
  nowMs: () => number = () => performance.now(),
): Progress {
  let label: string | undefined;
  let total = 0;
  let value = 0;
  let writtenMs = 0;
  let writtenValue: number | undefined;
  const writeValue = (): void => {
    writtenMs = nowMs();
    writtenValue = value;
    write(`${label} ${value}/${total}`);
  };
  return {
    say: write,
    begin(newLabel, newTotal) {
      label = newLabel;
      total = newTotal;
      value = 0;
      writtenMs = nowMs();
      writtenValue = undefined;
    },
    update(newValue) {
      value = newValue;
      if (nowMs() - writtenMs >= LINE_EVERY_MS) writeValue();
    },
    end() {
      if (label !== undefined && value !== writtenValue) writeValue();
      label = undefined;
    },
  };
}
