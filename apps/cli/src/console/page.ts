// What a page of the console is given, and how it adds itself.
import type { Clock } from '@tandem/core';
import type { FormPath, Visitor } from './access.ts';
import type { Audit } from './audit.ts';
import type { Html } from './html.ts';
import type { LongRuns } from './long-runs.ts';
import type { CommandRunner } from './run-command.ts';
import type { RegionWatch } from './watch-regions.ts';

/** What pages work with. */
export interface ConsoleTools {
  readonly watch: RegionWatch;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly run: CommandRunner;
  readonly runs: LongRuns;
  readonly audit: Audit;
  /** The files with the ids of what runs of a region on this machine; none where nothing does. */
  readonly processes: readonly { readonly region: string; readonly file: string }[];
}

/** One request, as a page sees it. */
export interface Visit {
  readonly visitor: Visitor;
  readonly query: URLSearchParams;
  /** What a form of ours sent; empty for a page that was just opened. */
  readonly fields: URLSearchParams;
}

/** Sends the browser on to another page of ours: what a form began is seen there, and is begun once. */
export class Elsewhere {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }
}

export interface PageOptions<Path extends string = string> {
  readonly path: Path;
  readonly title: string;
  /** Which page of the navigation it belongs to; its own path by default. */
  readonly links?: string;
  /** How often it asks anew by itself. */
  readonly refreshMs?: number;
  readonly render: (visit: Visit) => Html | Elsewhere | Promise<Html | Elsewhere>;
}

interface DownloadOptions {
  readonly path: string;
  /** Under which it is kept. */
  readonly name: string;
  readonly type: 'application/json' | 'text/html; charset=utf-8';
  readonly read: (visit: Visit) => Promise<string>;
}

/** Pages add themselves with this. */
export interface ConsoleRoutes {
  /** Serves a page to who has entered. */
  readonly page: (options: PageOptions) => void;
  /**
   * Serves what a form of one of our pages asks for, values and acts: neither belongs into an address. Only who has the
   * role of its path gets so far.
   */
  readonly form: (options: PageOptions<FormPath>) => void;
  /** Serves a file that is kept. */
  readonly download: (options: DownloadOptions) => void;
  /** Serves JSON to the script of our pages. */
  readonly data: (path: string, read: () => object) => void;
}
