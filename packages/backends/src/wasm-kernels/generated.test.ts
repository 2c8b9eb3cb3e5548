import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { generate, generatedFile } from '../../scripts/compile-assembly.mjs';
import { relaxedModule } from './generated/modules';

it('holds what the compiler makes of assembly/ now', () => {
  expect(readFileSync(generatedFile, 'utf8')).toBe(generate());
}, 120_000);

it('has no data segments, which would overwrite the heap of tfjs', () => {
  const sections = sectionsOf(Buffer.from(relaxedModule, 'base64'));
  expect(sections).toContain(10);
  expect(sections).not.toContain(11);
});

/** The numbers of a module's sections: 10 is code, 11 data. */
function sectionsOf(bytes: Uint8Array): number[] {
  const sections: number[] = [];
  let at = 8;
  while (at < bytes.length) {
    sections.push(bytes[at++]!);
    let [size, shift, byte] = [0, 0, 128];
    for (; byte & 128; shift += 7) {
      byte = bytes[at++]!;
      size |= (byte & 127) << shift;
    }
    at += size;
  }
  return sections;
}
