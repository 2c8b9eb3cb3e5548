import { Module, normal, ones, Parameter, random } from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import type { Objective, TrainingBatch } from '../objective';

export interface Point {
  readonly x: readonly [number, number];
  readonly y: number;
}

class Layer extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inputs: number, outputs: number) {
    super();
    this.weight = new Parameter([inputs, outputs], { initializer: normal(0.7) });
    this.bias = new Parameter([outputs], { initializer: normal(0.1) });
  }

  forward(x: tf.Tensor2D): tf.Tensor2D {
    return tf.add(tf.matMul(x, this.weight.value), this.bias.value);
  }
}

/** Two layers with a curve between them; the last parameter takes part in nothing. */
export class Toy extends Module {
  readonly encoder = new Layer(2, 3);
  readonly decoder = new Layer(3, 1);
  readonly unused = new Parameter([2, 2], { initializer: ones });

  forward(x: tf.Tensor2D): { encoded: tf.Tensor2D; output: tf.Tensor2D } {
    const encoded = tf.tanh(this.encoder.forward(x)) as tf.Tensor2D;
    return { encoded, output: this.decoder.forward(encoded) };
  }
}

/** A scale that the objective brings along. */
class Scale extends Module {
  readonly scale = new Parameter([], { initializer: ones });
}

/** Mean squared error. A point whose y is NaN makes the loss NaN. */
export function regression(model: Toy): Objective<Point> & { readonly module: Module } {
  const module = new Scale();
  return {
    name: 'regression',
    module,
    async prepare(points, { signal }) {
      signal?.throwIfAborted();
      return new PointBatch(model, module, points);
    },
  };
}

class PointBatch implements TrainingBatch {
  readonly tokens: number;
  readonly weight: number;
  private readonly x: tf.Tensor2D;
  private readonly y: tf.Tensor2D;

  constructor(
    private readonly model: Toy,
    private readonly module: Scale,
    points: readonly Point[],
  ) {
    this.tokens = points.length;
    this.weight = points.length;
    this.x = tf.tensor2d(points.map(({ x }) => [...x]));
    this.y = tf.tensor2d(points.map(({ y }) => [y]));
  }

  loss(): tf.Scalar {
    return tf.tidy(() => this.lossOf(this.model.forward(this.x).output));
  }

  trace(): [string, tf.Tensor][] {
    const { encoded, output } = this.model.forward(this.x);
    return [
      ['encoder', encoded],
      ['decoder', output],
      ['the loss', this.lossOf(output)],
    ];
  }

  dispose(): void {
    tf.dispose([this.x, this.y]);
  }

  private lossOf(output: tf.Tensor2D): tf.Scalar {
    return tf.mean(tf.square(tf.sub(tf.mul(output, this.module.scale.value), this.y)));
  }
}

export const points: readonly Point[] = Array.from({ length: 20 }, (_, i) => {
  const source = random('points', i);
  const x = [source.normal(), source.normal()] as const;
  return { x, y: Math.sin(x[0]) + 0.5 * x[1] };
});

/** The values of every parameter, by path. */
export async function readAll(module: Module): Promise<Record<string, number[]>> {
  const values: Record<string, number[]> = {};
  for (const [path, parameter] of module.namedParameters()) values[path] = [...(await parameter.read())];
  return values;
}
