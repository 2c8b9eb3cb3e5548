/**
 * `node tools/code-size.mjs`: the lines of each system's file beside those of the same system's modeling file in
 * transformers. Lines of code are those with more than a comment, a docstring or nothing. Fails where ours is not under a
 * third of theirs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { root } from './lib.mjs';

/** Counted in `modeling_*.py` of this version: Python's tokens without comments, less docstrings; and all lines. */
const transformers = {
  version: '5.18.0',
  files: {
    aria: { file: 'modeling_aria.py', code: 718, raw: 1126 },
    emu3: { file: 'modeling_emu3.py', code: 1172, raw: 1627 },
    fuyu: { file: 'modeling_fuyu.py', code: 188, raw: 303 },
    internvl: { file: 'modeling_internvl.py', code: 567, raw: 862 },
    janus: { file: 'modeling_janus.py', code: 951, raw: 1345 },
    llava: { file: 'modeling_llava.py', code: 266, raw: 386 },
    'llava-next': { file: 'modeling_llava_next.py', code: 399, raw: 643 },
    mllama: { file: 'modeling_mllama.py', code: 1022, raw: 1620 },
    paligemma: { file: 'modeling_paligemma.py', code: 286, raw: 442 },
    pixtral: { file: 'modeling_pixtral.py', code: 302, raw: 466 },
    'qwen2-vl': { file: 'modeling_qwen2_vl.py', code: 966, raw: 1412 },
  },
};

/** Lines of a TypeScript source, in all and with code on them. */
export function countLines(source) {
  const file = ts.createSourceFile('x.ts', source, ts.ScriptTarget.Latest);
  const lines = new Set();
  const visit = (node) => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    for (const child of children) visit(child);
    if (children.length > 0 || node.kind === ts.SyntaxKind.EndOfFileToken) return;
    const start = node.getStart(file);
    if (start === node.end) return;
    const [from, to] = [start, node.end].map((at) => file.getLineAndCharacterOfPosition(at).line);
    for (let line = from; line <= to; line++) lines.add(line);
  };
  visit(file);
  return { raw: source.split('\n').length - (source.endsWith('\n') ? 1 : 0), code: lines.size };
}

/** Every system's lines, ours and theirs; no `theirs` where transformers has no class. */
export function codeSizes(folder = join(root, 'packages/models/src/systems')) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts') && name !== 'index.ts');
  return files.map((name) => {
    const system = basename(name, '.ts');
    const ours = countLines(readFileSync(join(folder, name), 'utf8'));
    const theirs = transformers.files[system];
    return {
      system,
      ours,
      theirs,
      ratio: theirs && ours.code / theirs.code,
      raw: theirs && ours.raw / theirs.raw,
    };
  });
}

export const isSmall = ({ ratio = 0, raw = 0 }) => Math.max(ratio, raw) < 1 / 3;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = codeSizes();
  const cell = (ours, theirs) => (theirs ? `${ours} : ${theirs} = ${(ours / theirs).toFixed(2)}` : `${ours}`);
  const rows = sizes.map(({ system, ours, theirs }) => [
    system,
    cell(ours.code, theirs?.code),
    cell(ours.raw, theirs?.raw),
    theirs?.file ?? 'none',
  ]);
  const table = [['system', 'lines of code', 'all lines', `transformers ${transformers.version}`], ...rows];
  const widths = table[0].map((_, i) => Math.max(...table.map((row) => row[i].length)));
  for (const row of table)
    console.log(
      row
        .map((text, i) => text.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    );
  const large = sizes.filter((size) => !isSmall(size)).map(({ system }) => system);
  if (large.length > 0) {
    console.error(`not under a third: ${large.join(', ')}`);
    process.exit(1);
  }
}
