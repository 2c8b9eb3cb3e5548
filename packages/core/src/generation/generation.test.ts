import '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { composeModel } from '../compose';
import type { Decoder, GeneratedTokens, GenerateOptions, ProcessorFactory } from '../contracts';
import type { MultimodalModel } from '../model';
import { Module } from '../module';

/** Bytes of the answer, one token each; `é` takes two. */
const answer = [...new TextEncoder().encode('café ok')];
const stop = 0;

/** Says `answer`, whatever the prompt; its first layer of work is counted. */
class Parrot extends Module implements Decoder {
  readonly specVersion = 'decoder/v1';
  readonly name = 'parrot';
  readonly hiddenSize = 2;
  readonly vocabSize = 256;
  readonly numLayers = 0;
  readonly maxLength = 64;
  readonly positionAxes = 1;
  runs = 0;
  asked: GenerateOptions | undefined;
  failAt = Number.POSITIVE_INFINITY;
  embed = ({ shape: [batch, length] }: Parameters<Decoder['embed']>[0]) =>
    tf.zeros([batch, length, 2]) as tf.Tensor3D;
  forward = (inputs: Parameters<Decoder['forward']>[0]) => ({
    hidden: 'ids' in inputs ? this.embed(inputs.ids) : inputs.embeddings,
  });
  logits = (hidden: tf.Tensor) => hidden;
  score = async (_: unknown, continuations: readonly (readonly number[])[]) =>
    Float32Array.from(continuations, (tokens) => -tokens.length);
  createMemory = () => ({ length: 0, dispose: () => {} });
  createCache(): never {
    throw new Error('no cache');
  }
  async *generate(
    inputs: Parameters<Decoder['generate']>[0],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedTokens> {
    this.runs++;
    this.asked = options;
    const [batch] = 'ids' in inputs ? inputs.ids.shape : inputs.embeddings.shape;
    const held = tf.zeros([3]);
    try {
      for (const [i, id] of [...answer, stop].entries()) {
        await Promise.resolve();
        options.signal?.throwIfAborted();
        if (i === this.failAt) throw new Error('broken');
        const ended = options.stopIds?.includes(id);
        const ids = new Int32Array(batch).fill(ended ? -1 : id);
        yield { ids, finished: Array.from(ids, () => (ended ? 'stop' : undefined)) };
      }
    } finally {
      held.dispose();
    }
  }
}

const processor: ProcessorFactory = {
  specVersion: 'processor/v1',
  build: () => ({
    specVersion: 'processor/v1',
    stopIds: [stop],
    tokenizer: {
      vocabSize: 256,
      encode: (text) => Int32Array.from(new TextEncoder().encode(text)),
      decode: (ids) => new TextDecoder().decode(Uint8Array.from(ids)),
      tokenId: () => undefined,
    },
    process: async (samples) => ({
      ids: { data: new Int32Array(samples.length * 2), shape: [samples.length, 2] },
      imageTokenId: -1,
      imagesPerSample: samples.map(() => 0),
    }),
    prepareImages: () => Promise.reject(new Error('no pictures')),
  }),
};

let decoder: Parrot;
let model: MultimodalModel;
beforeAll(async () => {
  await tf.setBackend('cpu');
});
beforeEach(async () => {
  decoder = new Parrot();
  model = await composeModel({ decoder, processor });
  const before = tf.memory().numTensors;
  return () => expect(tf.memory().numTensors).toBe(before);
});

async function read(text: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of text) pieces.push(piece);
  return pieces;
}
const ask = { prompt: 'what?' };
const whole = {
  ids: Int32Array.from(answer),
  text: 'café ok',
  finishReason: 'stop',
  timings: expect.objectContaining({ promptTokens: 2, newTokens: answer.length }),
};

describe('model.generate', () => {
  it('streams pieces of complete characters', async () => {
    expect(await read(model.generate(ask).text)).toEqual(['c', 'a', 'f', 'é', ' ', 'o', 'k']);
  });

  it('lets a tokenizer stream that can, and decodes nothing again', async () => {
    const plain = processor.build({});
    const decoded: number[] = [];
    const streaming: ProcessorFactory = {
      specVersion: 'processor/v1',
      build: () => ({
        ...plain,
        tokenizer: {
          ...plain.tokenizer,
          decode: () => expect.fail('decoded as a whole'),
          stream: (options) => {
            expect(options).toEqual({ skipSpecialTokens: true });
            const decoder = new TextDecoder();
            return {
              push(id) {
                decoded.push(id);
                return decoder.decode(Uint8Array.of(id), { stream: true });
              },
              end: () => `${decoder.decode()}.`,
            };
          },
        },
      }),
    };
    const { text, result } = (await composeModel({ decoder, processor: streaming })).generate(ask);
    expect(await read(text)).toEqual(['c', 'a', 'f', 'é', ' ', 'o', 'k', '.']);
    expect(await result).toEqual({ ...whole, text: 'café ok.' });
    expect(decoded).toEqual(answer);
  });

  it('gives the whole answer, without or after the stream', async () => {
    expect(await model.generate(ask).result).toEqual(whole);
    const { text, result } = model.generate(ask);
    expect((await read(text)).join('')).toBe('café ok');
    expect(await result).toEqual(whole);
    expect(decoder.runs).toBe(2);
  });

  it('gives all of both when they are read at once, and when the text is read late or twice', async () => {
    const { text, result } = model.generate(ask);
    const [pieces, complete] = await Promise.all([read(text), result]);
    expect(pieces.join('')).toBe('café ok');
    expect(complete).toEqual(whole);
    expect((await read(text)).join('')).toBe('café ok');
    expect(decoder.runs).toBe(1);
  });

  it('gives the whole answer to somebody who asks after the first piece', async () => {
    const { text, result } = model.generate(ask);
    for await (const _ of text) break;
    expect(await result).toEqual(whole);
  });

  it('does nothing before somebody reads', async () => {
    model.generate(ask);
    await Promise.resolve();
    expect(decoder.runs).toBe(0);
  });

  it('fails in the text and in the result alike', async () => {
    decoder.failAt = 3;
    const { text, result } = model.generate(ask);
    await expect(read(text)).rejects.toThrow('broken');
    await expect(Promise.resolve(result)).rejects.toThrow('broken');
  });

  it('stops when its signal is aborted', async () => {
    const controller = new AbortController();
    const { text, result } = model.generate(ask, { signal: controller.signal });
    const reading = (async () => {
      for await (const _ of text) controller.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
    await expect(Promise.resolve(result)).rejects.toThrow('enough');
  });

  it('stops at the tokens of the processor unless others are named', async () => {
    await model.generate(ask, { stopIds: undefined }).result;
    expect(decoder.asked?.stopIds).toEqual([stop]);
    const { text } = await model.generate(ask, { stopIds: [' '.charCodeAt(0)] }).result;
    expect(text).toContain('café');
  });
});

it('model.generateAll answers every sample, in order', async () => {
  expect(await model.generateAll([ask, ask])).toEqual([whole, whole]);
});

describe('stop strings', () => {
  it('end an answer before them, and the work as well', async () => {
    const { text, tokens, result } = model.generate(ask, { stop: ['é o'] });
    expect((await read(text)).join('')).toBe('caf');
    const { ids, finishReason } = await result;
    expect([...ids]).toEqual(answer.slice(0, 7));
    expect(finishReason).toBe('stop');
    const pieces: unknown[] = [];
    for await (const piece of tokens) pieces.push(piece);
    expect(pieces.slice(0, 4)).toEqual([
      { id: 99, text: 'c' },
      { id: 97, text: 'a' },
      { id: 102, text: 'f' },
      { id: 195, text: '' },
    ]);
  });

  it('of a default yield to those of a call', async () => {
    const own = await composeModel({ decoder, processor, generation: { stop: ['f'], stopIds: [1] } });
    expect((await own.generate(ask).result).text).toBe('ca');
    expect(decoder.asked?.stopIds).toEqual([1]);
    expect((await own.generate(ask, { stop: [], stopIds: [stop] }).result).text).toBe('café ok');
  });

  it('need text', async () => {
    const silent = await composeModel({ decoder });
    const ids = { data: Int32Array.of(1), shape: [1, 1] as const };
    await expect(Promise.resolve(silent.generate({ ids }, { stop: ['x'] }).result)).rejects.toThrow(
      'without a processor',
    );
  });
});

describe('ids', () => {
  const ids = { data: Int32Array.of(1, 2, 3), shape: [1, 3] as const };

  it('are answered without a processor, by ids', async () => {
    const silent = await composeModel({ decoder });
    const { ids: generated, text, timings } = await silent.generate({ ids }, { stopIds: [stop] }).result;
    expect([...generated]).toEqual(answer);
    expect(text).toBe('');
    expect(timings.promptTokens).toBe(3);
  });

  it('are one sequence', async () => {
    const two = { data: new Int32Array(4), shape: [2, 2] as const };
    await expect(Promise.resolve(model.generate({ ids: two }).result)).rejects.toThrow('one sequence');
    await expect(model.generateAll([{ ids }, ask])).rejects.toThrow('1 of 2 that are none');
  });
});

describe('model.choose', () => {
  it('sorts the answers by their log-probability', async () => {
    expect(await model.choose(ask, ['perhaps', 'no', 'yes'])).toEqual([
      { answer: 'no', logProbability: -2 },
      { answer: 'yes', logProbability: -3 },
      { answer: 'perhaps', logProbability: -7 },
    ]);
    await expect(model.choose(ask, [])).rejects.toThrow('at least one answer');
  });
});

it('guidance takes a conversation of its own, for every sample', async () => {
  await model.generateAll([ask, ask], { guidance: { scale: 3, negative: { prompt: 'nothing' } } });
  const { guidance } = decoder.asked ?? {};
  expect(guidance?.scale).toBe(3);
  expect(guidance && 'embeddings' in guidance.negative && guidance.negative.embeddings.shape).toEqual([
    2, 2, 2,
  ]);
});
