import { CheckpointError } from '@mmllm/core';
import { nearest } from './nearest';
import { quote } from './safetensors/json';

/** The error for a tensor that a file does not have, with the name that looks like a misspelling of it. */
export function unknownTensor(file: string, name: string, names: Iterable<string>): CheckpointError {
  const near = nearest(name, names);
  return new CheckpointError({
    component: file,
    expected: 'the name of a tensor in the file',
    actual: quote(name),
    hint: near && `Did you mean ${quote(near)}?`,
  });
}
