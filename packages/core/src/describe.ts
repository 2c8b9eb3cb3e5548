import type { PreparedImage } from './contracts';
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
  const taken = tokensOfPicture(model);
  if (taken) {
    const { height, width, features, inSequence } = taken;
    lines.push(`a ${width}×${height} picture: ${features} features, ${inSequence} tokens in the sequence`);
  }
  return lines.join('\n');
}

/**
 * What one picture takes, where the encoder prepares all to one size; undefined otherwise. Runs no kernel.
 */
export function tokensOfPicture(
  model: Pick<MultimodalModel, 'encoder' | 'projector' | 'fusion'>,
): { height: number; width: number; features: number; inSequence: number } | undefined {
  const { encoder, projector, fusion } = model;
  if (encoder?.preprocessing.kind !== 'fixed' || !projector || !fusion) return undefined;
  const { height, width } = encoder.preprocessing.size;
  const image: PreparedImage = { views: [{ role: 'image', height, width }], original: { height, width } };
  const [tokens] = projector.layout(encoder.layout([image]));
  const inSequence = fusion
    .placeholders(tokens)
    .reduce((sum, piece) => sum + (piece.kind === 'features' ? piece.count : 1), 0);
  return { height, width, features: rowsOf(tokens).count, inSequence };
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
