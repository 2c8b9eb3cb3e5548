import { WeightError } from '@mmllm/core';

/** The numbers in a name, by placeholder. */
export type Indices = Readonly<Record<string, string>>;

const PLACEHOLDER = /\{([A-Za-z]\w*)\}/;
/** Without leading zeros, so that a name has one spelling. */
const INDEX = '0|[1-9]\\d*';

/** A name with placeholders for integers, such as `layers.{i}.mlp.experts.{j}.weight`. */
export class Pattern {
  readonly placeholders: ReadonlySet<string>;
  /** Literal text at even places, placeholders between. */
  readonly #parts: readonly string[];
  readonly #expression: RegExp;

  constructor(readonly text: string) {
    this.#parts = text.split(PLACEHOLDER);
    const seen = new Set<string>();
    const source = this.#parts.map((part, index) => {
      if (index % 2 === 0) return escapeLiteral(part, text);
      if (seen.has(part)) return `\\k<${part}>`;
      seen.add(part);
      return `(?<${part}>${INDEX})`;
    });
    this.placeholders = seen;
    this.#expression = new RegExp(`^${source.join('')}$`);
  }

  match(name: string): Indices | undefined {
    const match = this.#expression.exec(name);
    return match ? { ...match.groups } : undefined;
  }

  fill(indices: Indices): string {
    return this.#parts.map((part, index) => (index % 2 === 0 ? part : indices[part])).join('');
  }
}

/** Like `Pattern`, for matching only: `*` stands for one part between dots, `**` for any text. */
export function compileGlob(text: string): RegExp {
  const source = text.split(PLACEHOLDER).map((part, index) => {
    if (index % 2 === 1) return `(?:${INDEX})`;
    return part
      .split(/(\*+)/)
      .map((piece) => (piece === '**' ? '.*' : piece === '*' ? '[^.]*' : escapeLiteral(piece, text)))
      .join('');
  });
  return new RegExp(`^${source.join('')}$`, 's');
}

function escapeLiteral(literal: string, pattern: string): string {
  if (/[{}*]/.test(literal)) {
    const expected = "'{name}' placeholders, and '*' or '**' only in what is ignored";
    throw new WeightError({ component: 'name map', expected, actual: `'${pattern}'` });
  }
  return literal.replace(/[.+?^$()|[\]\\]/g, '\\$&');
}
