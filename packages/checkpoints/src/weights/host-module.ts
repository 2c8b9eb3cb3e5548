/** For tests: modules without a backend. Not exported from the package. */
import {
  Module,
  Parameter,
  turnRows,
  type WeightWriter,
  type WriterOptions,
  widen,
  zeros,
} from '@mmllm/core';

/** A parameter that keeps its values in an array, and remembers how often it was set. */
export class HostParameter extends Parameter {
  values: Float32Array | undefined;
  assigned = 0;

  constructor(shape: readonly number[]) {
    super(shape, { initializer: zeros });
  }

  override assign(values: Parameters<Parameter['assign']>[0]): void {
    if (!(values instanceof Float32Array) || values.length !== this.size) throw new Error('bad values');
    this.values = values.slice();
    this.assigned++;
  }

  override writer({ turned = false }: WriterOptions = {}): WeightWriter<void> {
    const [width = 1, height = 1] = this.shape;
    const values = new Float32Array(this.size);
    let at = 0;
    return {
      write(piece) {
        const part = widen(piece);
        if (turned) turnRows(part, width, { into: values, height, first: at / width });
        else values.set(part, at);
        at += part.length;
      },
      finish: () => this.assign(values),
      dispose: () => {},
    };
  }

  override async read(): Promise<Float32Array> {
    if (!this.values) throw new Error('read before assign');
    return this.values.slice();
  }
}

export class HostModule extends Module {
  override parameter(path: string): HostParameter {
    return super.parameter(path) as HostParameter;
  }
}

/** A module with parameters at these paths. */
export function hostModule(shapes: Readonly<Record<string, readonly number[]>>): HostModule {
  const root = new HostModule();
  for (const [path, shape] of Object.entries(shapes)) {
    const names = path.split('.');
    const last = names.pop()!;
    let parent: Module = root;
    for (const name of names) {
      const known: [string, unknown] | undefined = [...parent.members()].find(([member]) => member === name);
      const child = Module.isInstance(known?.[1]) ? known[1] : new HostModule();
      Object.assign(parent, { [name]: child });
      parent = child;
    }
    Object.assign(parent, { [last]: new HostParameter(shape) });
  }
  return root;
}
