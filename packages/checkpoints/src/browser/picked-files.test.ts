import { CheckpointError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { openModelFolder } from '../folder/open';
import { encodeSafetensors } from '../safetensors/encode';
import { readText } from '../storage/suite';
import { pickedFiles } from './picked-files';

/** As a browser gives it: with a path where a whole folder was picked. */
function picked(content: string | Uint8Array<ArrayBuffer>, name: string, webkitRelativePath = ''): File {
  return Object.assign(new File([content], name), { webkitRelativePath });
}

const weights = encodeSafetensors([['a', { dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]]);

describe('pickedFiles', () => {
  it.each([
    ['single files', ['', ''], ''],
    ['a folder', ['tiny/config.json', 'tiny/model.safetensors'], ''],
    ['a folder of folders', ['all/tiny/config.json', 'all/tiny/model.safetensors'], 'tiny'],
  ])('are read as a model: %s', async (_, [config, model], folder) => {
    const place = pickedFiles([
      picked('{"model_type":"tiny"}', 'config.json', config),
      picked(weights, 'model.safetensors', model),
    ]);
    const opened = await openModelFolder(place, { folder });
    expect(await opened.config()).toEqual({ model_type: 'tiny' });
    expect(await (await opened.weights()).read('a')).toEqual(Float32Array.of(1, 2));
  });

  it('are listed by folder, and say what is missing', async () => {
    const place = pickedFiles([
      picked('x', 'b', 'top/deep/b'),
      picked('y', 'a', 'top/a'),
      picked('', 'c', 'top/deeper/c'),
    ]);
    expect(await place.list()).toEqual(['a', 'deep/b', 'deeper/c']);
    expect(await place.list('deep')).toEqual(['deep/b']);
    await expect(place.open('b')).rejects.toThrow(/a file 'b', got none/);
  });

  it('have each path once', () => {
    expect(() => pickedFiles([picked('x', 'a'), picked('y', 'a')])).toThrow(CheckpointError);
  });

  it('say that a file can no longer be read', async () => {
    const gone = Object.assign(picked('x', 'a'), {
      slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('changed', 'NotReadableError')) }),
    });
    await expect(readText({ ...pickedFiles([gone]) } as never, 'a')).rejects.toThrow(
      /a: expected a readable file, got NotReadableError/,
    );
  });
});
