/** What `by` and `without` group by: labels, not metrics. */
const GROUPING = /\b(?:by|without)\s*\([^)]*\)/g;
const SELECTOR = /\{[^}]*\}/g;
const METRIC = /\b(?:tandem|http_server)_[a-z_]+\b/g;

/** The metrics that a PromQL expression asks for. */
export function namedMetrics(expression: string): string[] {
  return expression.replaceAll(SELECTOR, '').replaceAll(GROUPING, '').match(METRIC) ?? [];
}

/** The metrics that a scrape holds: one name for each series that has a value. */
export function scrapedMetrics(scrape: string): Set<string> {
  const lines = scrape.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Set(lines.map((line) => line.split(/[{ ]/, 1)[0] ?? ''));
}
