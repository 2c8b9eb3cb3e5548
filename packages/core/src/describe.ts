import type { ImagePreprocessing, PreparedImage } from './contracts';
import { rowsOf } from './contracts';
import type { MultimodalModel } from './model';

const components = ['encoder', 'projector', 'fusion', 'decoder'] as const;

/** A table of components with exact parameter counts, and the tokens that one picture takes. */
export function describeModel(model: MultimodalModel): string {
  const rows: [string, string, string][] = [['component', 'part', 'parameters']];
  for (const component of components) {
    const part = model[component];
    if (part) rows.push([component, part.name, part.countParameters().toLocaleString('en-US')]);
  }
  rows.push(['total', '', model.countParameters().toLocaleString('en-US')]);
  const lines = [formatTable(rows)];
  const image = model.encoder && exampleImage(model.encoder.preprocessing);
  if (image && model.fusion) {
    const [tokens] = model.imageTokens([image]);
    const inSequence = model.fusion
      .placeholders(tokens)
      .reduce((sum, piece) => sum + (piece.kind === 'features' ? piece.count : 1), 0);
    const { height, width } = image.original;
    lines.push(
      `a ${width}×${height} picture: ${rowsOf(tokens).count} features, ${inSequence} tokens in the sequence`,
    );
  }
  return lines.join('\n');
}

/** The picture that a preprocessing is made for, where one size says it all. */
function exampleImage(preprocessing: ImagePreprocessing): PreparedImage | undefined {
  if (preprocessing.kind !== 'fixed') return undefined;
  const { height, width } = preprocessing.size;
  return { views: [{ role: 'image', height, width }], original: { height, width } };
}

/** Columns padded to equal width; the last one to the right. The first row is the head. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === row.length - 1 && i > 0 ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('  ');
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}
