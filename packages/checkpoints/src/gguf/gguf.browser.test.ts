import { expect, it } from 'vitest';
import { openSafetensors } from '../safetensors/file';
import { toFloat32 } from '../safetensors/widen';
import { pageFixture } from '../testing/page-fixture';
import { dequantize } from './dequantize';
import { openGguf } from './file';
import { GGUF_TYPES } from './types';

it('reads and de-quantises in a page', async () => {
  const file = await openGguf(await pageFixture('gguf/types.gguf'));
  const golden = await openSafetensors(await pageFixture('gguf/types.safetensors'));
  expect(file.metadata.get('test.string')?.value).toBe('Grüße');
  for (const type of GGUF_TYPES) {
    const [actual, expected] = [dequantize(await file.read(type)), toFloat32(await golden.read(type))];
    const same = actual.every((value, i) => Object.is(value, expected[i]));
    expect(same, type).toBe(true);
  }
});
