import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generate, generatedFile } from '../../scripts/compile-assembly.mjs';
import { describePasses } from '../testing/passes';

describePasses();

it('has the module that the compiler makes of assembly/ now', () => {
  expect(readFileSync(generatedFile, 'utf8')).toBe(generate());
}, 60_000);
