import { describe, expect, it } from 'vitest';
import { ConfigError, MmllmError, ShapeError } from './errors';

describe('errors', () => {
  const error = new ShapeError({
    component: 'projector',
    expected: 'width 64',
    actual: 'width 32',
    hint: 'Check the encoder.',
  });

  it('name the component, what was expected and what came', () => {
    expect(error.message).toBe('projector: expected width 64, got width 32. Check the encoder.');
    expect(error).toMatchObject({
      name: 'ShapeError',
      code: 'shape',
      component: 'projector',
      expected: 'width 64',
      actual: 'width 32',
    });
  });

  it('are recognised by kind and as a family', () => {
    expect(ShapeError.isInstance(error)).toBe(true);
    expect(MmllmError.isInstance(error)).toBe(true);
    expect(ConfigError.isInstance(error)).toBe(false);
    expect(MmllmError.isInstance(new Error('other'))).toBe(false);
  });

  it('are recognised when another copy of the package made them', () => {
    const foreign = Object.assign(new Error('x'), {
      [Symbol.for('mmllm.error.shape')]: true,
      [Symbol.for('mmllm.error.error')]: true,
    });
    expect(ShapeError.isInstance(foreign)).toBe(true);
    expect(foreign).not.toBeInstanceOf(ShapeError);
  });
});
