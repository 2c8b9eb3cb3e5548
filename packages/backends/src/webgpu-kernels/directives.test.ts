import { expect, it } from 'vitest';
import { hoisted } from './directives';
import { tiledCode } from './product-code';

it('puts directives before all else, and nothing else', () => {
  const code = 'struct S { x : f32 };\n  enable f16;\nfn main() {}\nenable subgroups;\n';
  expect(hoisted(code)).toBe('  enable f16;\nenable subgroups;\nstruct S { x : f32 };\n\nfn main() {}\n\n');
});

it('leaves other texts as they are', () => {
  const code = 'fn enable_f16() {}\n// enable f16\n';
  expect(hoisted(code)).toBe(code);
});

it('finds those of a product of float16, which reads f16 and adds up f32', () => {
  const text = { transposeA: false, transposeB: true, addends: '', rightReader: '', tile: 32 };
  const half = hoisted(tiledCode({ ...text, isHalf: true }));
  expect(half.trimStart().startsWith('enable f16;')).toBe(true);
  expect(half).toContain('alias Quad = vec4<f16>;');
  expect(half).toContain('var sums : array<vec4<f32>, 4>;');
  expect(hoisted(tiledCode({ ...text, isHalf: false }))).not.toContain('f16');
});
