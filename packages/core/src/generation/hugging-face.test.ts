import { describe, expect, it } from 'vitest';
import { ConfigError } from '../errors';
import { generationFromHuggingFace } from './hugging-face';

describe('generationFromHuggingFace', () => {
  it('is greedy without do_sample, whatever else there is', () => {
    const json = { do_sample: false, temperature: 0.7, top_p: 0.9, eos_token_id: 2, pad_token_id: 0 };
    expect(generationFromHuggingFace(json)).toEqual({ stopIds: [2] });
    expect(generationFromHuggingFace({ temperature: 0.7 })).toEqual({});
  });

  it('samples as transformers does', () => {
    const json = {
      do_sample: true,
      temperature: 0.6,
      top_p: 0.9,
      min_p: 0.05,
      repetition_penalty: 1.05,
      eos_token_id: [151645, 151643],
      max_new_tokens: 100,
      transformers_version: '4.41.2',
    };
    expect(generationFromHuggingFace(json)).toEqual({
      temperature: 0.6,
      topK: 50,
      topP: 0.9,
      minP: 0.05,
      repetitionPenalty: 1.05,
      stopIds: [151645, 151643],
      maxNewTokens: 100,
    });
    expect(generationFromHuggingFace({ do_sample: true, top_k: 0, top_p: 1 })).toEqual({ temperature: 1 });
  });

  it('reads beams', () => {
    const json = { num_beams: 4, length_penalty: 0.5, early_stopping: 'never', min_new_tokens: 3 };
    expect(generationFromHuggingFace(json)).toEqual({
      numBeams: 4,
      lengthPenalty: 0.5,
      earlyStopping: 'never',
      minNewTokens: 3,
    });
  });

  it.each([
    [{ no_repeat_ngram_size: 3 }, 'no_repeat_ngram_size'],
    [{ typical_p: 0.9 }, 'typical_p'],
    [{ suppress_tokens: [1] }, 'suppress_tokens'],
    [{ temperature: -1 }, 'temperature'],
    [{ eos_token_id: '2' }, 'eos_token_id'],
  ])('refuses %o', (json, key) => {
    expect(() => generationFromHuggingFace(json)).toThrow(ConfigError);
    expect(() => generationFromHuggingFace(json)).toThrow(key);
  });

  it('takes values that change nothing', () => {
    expect(
      generationFromHuggingFace({ typical_p: 1, num_beam_groups: 1, forced_eos_token_id: null }),
    ).toEqual({});
  });
});
