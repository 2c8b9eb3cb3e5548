/** A Markdown table, aligned as the formatter wants it. The first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i])).join(' | ')} |`;
  const rule = line(widths.map((width) => '-'.repeat(width)));
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

export const count = (n: number): string => n.toLocaleString('en-US');

/** `arXiv:…` as links to the papers. */
export const linkPapers = (text: string): string =>
  text.replace(/arXiv:(\d{4}\.\d{5})/g, '[arXiv:$1](https://arxiv.org/abs/$1)');

export const code = (text: string): string => `\`${text}\``;
