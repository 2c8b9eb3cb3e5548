import '@tensorflow/tfjs-backend-cpu';
import { CheckpointError, Module, Parameter, random, zeros } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { DTYPES, type Dtype, type TensorData } from '../safetensors/dtype';
import { encodeSafetensors } from '../safetensors/encode';
import { openSafetensors } from '../safetensors/file';
import { hasFloat32, toFloat32 } from '../safetensors/widen';
import { type ByteSource, bufferSource, type ReadIntoOptions } from '../source';
import { type Filling, fillParameters } from './fill';
import { hostModule } from './host-module';
import { type RuleLayout, shapeToOurs } from './layout';
import type { NameRule } from './name-map';
import { safetensorsWeights, type WeightSource } from './source';

type Rule = RuleLayout & Pick<NameRule, 'rows'>;

const product = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const WIDTHS: Partial<Record<Dtype, number>> = { F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4 };
const widthOf = (dtype: Dtype) => WIDTHS[dtype] ?? (/16$/.test(dtype) ? 2 : 1);

/** A tensor of any bytes, NaN among them. */
function noise(dtype: Dtype, shape: readonly number[]): TensorData {
  const draw = random(dtype, shape.join());
  const data = Uint8Array.from({ length: product(shape) * widthOf(dtype) }, () => draw.integer(256));
  return { dtype, shape, data };
}

/** What a layout means, element by element: a file tensor's values as ours. */
function expectedOf(values: Float32Array, shape: readonly number[], rule: Rule): Float32Array {
  const width = product(shape.slice(1));
  const [start, end] = rule.rows ?? [0, shape[0] ?? 1];
  const cut = values.slice(start * width, end * width);
  const outputs = end - start;
  if (rule.layout !== 'linear' && rule.layout !== 'conv-linear') return cut;
  const cells = rule.layout === 'linear' ? 1 : product(rule.kernel);
  const channels = width / cells;
  const ours = new Float32Array(cut.length);
  for (let o = 0; o < outputs; o++)
    for (let c = 0; c < channels; c++)
      for (let k = 0; k < cells; k++)
        ours[(k * channels + c) * outputs + o] = cut[(o * channels + c) * cells + k]!;
  return ours;
}

/** Tells −0 from 0; which NaN it is, JavaScript may change whenever it copies one. */
const bitsOf = (values: Float32Array) =>
  new Uint32Array(values.slice().buffer).map((bits, i) => (Number.isNaN(values[i]) ? 0x7fc0_0000 : bits));

/** One tensor, and the parameters that take its parts. */
async function fillFrom(
  source: WeightSource,
  rules: readonly Rule[],
  pieceValues: number,
): Promise<Float32Array[]> {
  const shape = source.shape('t');
  const rows = ({ rows: [start, end] = [0, shape[0] ?? 1] }: Rule) =>
    shape.length === 0 ? [] : [end - start, ...shape.slice(1)];
  const shapes = rules.map((rule, i) => [`p${i}`, shapeToOurs(rule, rows(rule))!] as const);
  const module = hostModule(Object.fromEntries(shapes));
  const fillings = rules.map((rule, i): Filling => {
    const path = `p${i}`;
    return {
      path,
      parameter: module.parameter(path),
      parts: [{ key: 't', rule: { ...rule, ours: path, theirs: 't' } }],
    };
  });
  let filled = 0;
  await fillParameters(source, fillings, {
    pieceValues,
    onPart: (_, values) => {
      filled += values;
    },
  });
  expect(filled).toBe(product(shape));
  return fillings.map(({ path }) => module.parameter(path).values!);
}

/** A source that hands out its bytes in the memory that it is given, as a file does. */
function copying(bytes: Uint8Array): ByteSource {
  const inner = bufferSource(bytes);
  return {
    ...inner,
    async read(start: number, end: number, { into, ...options }: ReadIntoOptions = {}) {
      const found = await inner.read(start, end, options);
      const memory = into && into.byteLength >= found.byteLength ? into : new Uint8Array(found.byteLength);
      memory.set(found);
      return memory.subarray(0, found.byteLength);
    },
  };
}

const layouts: [shape: number[], rules: Rule[]][] = [
  [[], [{}]],
  [[37], [{}]],
  [[19, 7], [{}]],
  [[1, 1, 35], [{ layout: 'leading-ones', count: 2 }]],
  [[37, 21], [{ layout: 'linear' }]],
  [[35, 3, 2, 5], [{ layout: 'conv-linear', kernel: [2, 5] }]],
  [
    [53, 9],
    [{ rows: [0, 18] }, { rows: [18, 21] }, { rows: [21, 53] }],
  ],
  [
    [53, 9],
    [
      { layout: 'linear', rows: [0, 18] },
      { layout: 'linear', rows: [18, 21] },
      { layout: 'linear', rows: [21, 53] },
    ],
  ],
];

describe('fillParameters', () => {
  it.each(layouts)(
    'gives what whole tensors of %j give, %j, in every dtype and in pieces',
    async (shape, rules) => {
      for (const dtype of DTYPES.filter(hasFloat32)) {
        const tensor = noise(dtype, shape);
        // A name of odd length moves the tensor to another alignment.
        const bytes = encodeSafetensors([
          ['odd', { dtype: 'U8', shape: [3], data: new Uint8Array(3) }],
          ['t', tensor],
        ]);
        for (const bytesOf of [bufferSource, copying]) {
          const source = safetensorsWeights(await openSafetensors(bytesOf(bytes)));
          for (const pieceValues of [1, 100, 2 ** 20]) {
            const filled = await fillFrom(source, rules, pieceValues);
            for (const [i, rule] of rules.entries()) {
              const expected = expectedOf(toFloat32(tensor), shape, rule);
              expect(bitsOf(filled[i]!), `${dtype} in pieces of ${pieceValues}`).toEqual(bitsOf(expected));
            }
          }
        }
      }
    },
  );

  it('reads a source without pieces once for each tensor', async () => {
    const tensor = noise('U8', [53, 9]);
    let reads = 0;
    const source: WeightSource = {
      name: 'whole',
      keys: () => ['t'],
      shape: () => tensor.shape,
      read: async () => {
        reads++;
        return toFloat32(tensor);
      },
    };
    const rules: Rule[] = [{ layout: 'linear', rows: [0, 18] }, { rows: [18, 53] }];
    const filled = await fillFrom(source, rules, 1);
    for (const [i, rule] of rules.entries())
      expect(filled[i]).toEqual(expectedOf(toFloat32(tensor), tensor.shape, rule));
    expect(reads).toBe(1);
  });

  describe('with tensors', () => {
    beforeAll(async () => {
      await tf.setBackend('cpu');
    });

    class Pair extends Module {
      readonly a = new Parameter([9, 40], { initializer: zeros });
      readonly b = new Parameter([40, 9], { initializer: zeros });
    }

    const rules = { a: { layout: 'linear' }, b: {} } as const;

    const fillingsOf = (module: Pair) =>
      (['a', 'b'] as const).map(
        (path): Filling => ({
          path,
          parameter: module[path],
          parts: [{ key: path, rule: { ...rules[path], ours: path, theirs: path } }],
        }),
      );

    const sourceOf = async (wrap: (source: ByteSource) => ByteSource = (source) => source) =>
      safetensorsWeights(
        await openSafetensors(
          wrap(
            bufferSource(
              encodeSafetensors([
                ['a', noise('BF16', [40, 9])],
                ['b', noise('F32', [40, 9])],
              ]),
            ),
          ),
        ),
      );

    it('leaves no tensor behind but the parameters', async () => {
      const module = new Pair();
      const before = tf.memory();
      for (let round = 0; round < 2; round++) {
        await fillParameters(await sourceOf(), fillingsOf(module), { pieceValues: 1, onPart: () => {} });
        expect(tf.memory().numTensors).toBe(before.numTensors + 2);
        expect(tf.memory().numBytes).toBe(before.numBytes + 4 * (360 + 360));
      }
      module.dispose();
      expect(tf.memory()).toMatchObject({ numTensors: before.numTensors, numBytes: before.numBytes });
    });

    it('stops between two pieces, and a parameter that is not complete keeps its values', async () => {
      const module = new Pair();
      module.initialize({ seed: 1 });
      const before = tf.memory().numTensors;
      const controller = new AbortController();
      const parts: string[] = [];
      const filling = fillParameters(await sourceOf(), fillingsOf(module), {
        signal: controller.signal,
        pieceValues: 1,
        onPart: (path) => {
          if (parts.push(path) === 5) controller.abort(new Error('enough'));
        },
      });
      await expect(filling).rejects.toThrow('enough');
      // F32 comes first in a file: three pieces of b, then a is in the middle.
      expect(parts).toEqual(['b', 'b', 'b', 'a', 'a']);
      expect([...(await module.b.read())].some((value) => value !== 0)).toBe(true);
      expect(await module.a.read()).toEqual(new Float32Array(360));
      expect(tf.memory().numTensors).toBe(before);
      module.dispose();
    });

    it('lets a failure through once no reading is under way', async () => {
      const module = new Pair();
      let running = 0;
      const source = await sourceOf((inner) => ({
        ...inner,
        async read(start, end, options) {
          running++;
          await new Promise((resolve) => setTimeout(resolve, 1));
          running--;
          if (end === inner.size)
            throw new CheckpointError({ component: 'file', expected: 'a file', actual: 'its end' });
          return inner.read(start, end, options);
        },
      }));
      const filling = fillParameters(source, fillingsOf(module), { pieceValues: 1, onPart: () => {} });
      await expect(filling).rejects.toThrow(CheckpointError);
      expect(running).toBe(0);
      expect([module.a.ready, module.b.ready]).toEqual([false, true]);
      const fails = fillParameters(await sourceOf(), fillingsOf(module), {
        pieceValues: 1,
        onPart: () => {
          throw new Error('of the caller');
        },
      });
      await expect(fails).rejects.toThrow('of the caller');
      module.dispose();
    });
  });
});
