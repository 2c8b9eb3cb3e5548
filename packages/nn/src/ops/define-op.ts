import * as tf from '@tensorflow/tfjs-core';

/** An object whose every property is a tensor, or an input that may be left out. */
type TensorMap<I> = { readonly [K in keyof I]: tf.Tensor | undefined };

export interface KernelDefinition<I extends TensorMap<I>, A extends object> {
  /** The name under which a backend package registers a faster kernel with the same inputs, attributes and outputs. */
  readonly name: `mmllm/${string}`;
  /**
   * The kernel in plain tfjs ops that every backend has; it runs inside `tf.tidy`. It never returns one of its inputs.
   * Attributes are host data, typed arrays included.
   */
  reference(inputs: I, attrs: A): tf.Tensor | tf.Tensor[];
}

/** What `backward` gets to see. */
export interface BackwardContext<I, A, S extends keyof I> {
  /** Gradient of the op's result. */
  readonly dy: tf.Tensor;
  readonly inputs: { readonly [K in S]-?: NonNullable<I[K]> };
  /** The saved outputs, in order. */
  readonly outputs: readonly tf.Tensor[];
  readonly attrs: A;
  /**
   * Computes at once what several of the gradients need. The tensors live until the next node of the tape begins, so
   * a gradient that is one of them must be returned as a clone.
   */
  share(compute: () => tf.Tensor[]): tf.Tensor[];
}

export interface OpDefinition<I extends TensorMap<I>, A extends object, S extends keyof I>
  extends KernelDefinition<I, A> {
  /** Inputs that `backward` reads; they must always be given. */
  readonly inputsToSave: readonly S[];
  /** Whether `backward` reads an output, for each output. Default: none. */
  readonly outputsToSave?: readonly boolean[];
  /** The gradient of each input, lazily: that of an input that nothing trained depends on is never asked for. */
  backward(context: BackwardContext<I, A, S>): { [K in keyof I]-?: () => tf.Tensor };
}

/**
 * Turns a kernel in plain tfjs ops into one that backends can replace: if the current backend has no kernel of this
 * name at the call, the reference is registered for it. The caller owns the outputs.
 */
export function defineKernel<I extends TensorMap<I>, A extends object>({
  name,
  reference,
}: KernelDefinition<I, A>): (inputs: I, attrs: A) => tf.Tensor[] {
  const kernelFunc: tf.KernelFunc = ({ inputs, attrs }) =>
    // The op below is the only caller, so these are the tensors and attributes that it was given.
    tf.tidy(() => reference(inputs as unknown as I, attrs as unknown as A));
  return (inputs, attrs) => {
    const kernel = kernelOf(name, kernelFunc);
    // tfjs types attributes as JSON; it hands them to kernel and gradient untouched.
    const call = { inputs: present(inputs), attrs: attrs as unknown as tf.NamedAttrMap };
    if (isUnwatched()) return runUnwatched(kernel, call);
    const outputs = tf.engine().runKernel<tf.Tensor | tf.Tensor[]>(name, call.inputs, call.attrs);
    return Array.isArray(outputs) ? outputs : [outputs];
  };
}

/**
 * A kernel that a backend may register beside those of the ops, to do the work of several at once; undefined where it
 * has none, and where a gradient is recorded, which is that of the ops.
 */
export function joinedKernel<I extends TensorMap<I>, A extends object>(
  name: `mmllm/${string}`,
): ((inputs: I, attrs: A) => tf.Tensor[]) | undefined {
  if (!tf.getBackend()) tf.backend();
  const kernel = isUnwatched() ? tf.getKernel(name, tf.getBackend()) : undefined;
  return (
    kernel &&
    ((inputs, attrs) =>
      // As above.
      runUnwatched(kernel, { inputs: present(inputs), attrs: attrs as unknown as tf.NamedAttrMap }))
  );
}

/** Whether nobody records what kernels do: no gradient, no profile, no debugging. */
function isUnwatched(): boolean {
  const { state } = tf.engine();
  return state.gradientDepth === 0 && !state.profiling && !tf.env().getBool('DEBUG');
}

interface KernelCall {
  readonly inputs: tf.NamedTensorMap;
  readonly attrs: tf.NamedAttrMap;
}

/**
 * Runs a kernel as tfjs's engine does, without what it does for those who watch: half of the time of a small op. The
 * kernel is told that only its result is wanted, and may leave out what it makes for a gradient.
 */
function runUnwatched({ kernelFunc }: tf.KernelConfig, call: KernelCall): tf.Tensor[] {
  const engine = tf.engine();
  engine.state.kernelDepth++;
  try {
    const params = { ...call, backend: engine.backend, resultOnly: true };
    const outputs = kernelFunc(params);
    return (Array.isArray(outputs) ? outputs : [outputs]).map((output) => asTensor(output));
  } finally {
    engine.state.kernelDepth--;
  }
}

const asTensor = (output: tf.TensorInfo): tf.Tensor =>
  'rank' in output ? (output as tf.Tensor) : tf.engine().makeTensorFromTensorInfo(output);

/**
 * A replaceable kernel with its gradient. The result is the kernel's first output, and the caller owns it; further
 * outputs exist for the gradient only. Works under `tf.tidy`, `tf.grads` and `tf.variableGrads`; the gradient has no
 * gradient of its own.
 */
export function defineOp<
  I extends TensorMap<I>,
  A extends object,
  S extends keyof I & string,
  R extends tf.Tensor = tf.Tensor,
>(definition: OpDefinition<I, A, S>): (inputs: I, attrs: A) => R {
  const run = defineKernel(definition);
  return (inputs, attrs) => {
    registerGradientOf(definition);
    const outputs = run(inputs, attrs);
    for (let i = 1; i < outputs.length; i++) outputs[i]!.dispose();
    // The rank of the result is part of what the definition promises.
    return outputs[0] as R;
  };
}

/** The kernel of the current backend; the reference, if it has none. */
function kernelOf(kernelName: string, kernelFunc: tf.KernelFunc): tf.KernelConfig {
  if (!tf.getBackend()) tf.backend();
  const backendName = tf.getBackend();
  const known: tf.KernelConfig | undefined = tf.getKernel(kernelName, backendName);
  if (known) return known;
  const reference = { kernelName, backendName, kernelFunc };
  tf.registerKernel(reference);
  return reference;
}

/**
 * Tape nodes run one after the other, so what one node shares is free when the next begins. The scope of the backward
 * pass frees what the last one leaves.
 */
let sharedByLastNode: tf.Tensor[] = [];

function registerGradientOf<I extends TensorMap<I>, A extends object, S extends keyof I & string>({
  name,
  inputsToSave,
  outputsToSave = [],
  backward,
}: OpDefinition<I, A, S>): void {
  if (tf.getGradient(name)) return;
  tf.registerGradient({
    kernelName: name,
    inputsToSave: [...inputsToSave],
    outputsToSave: [...outputsToSave],
    gradFunc: (dys, saved, attrs) => {
      tf.dispose(sharedByLastNode);
      sharedByLastNode = [];
      const [dy, ...unused] = Array.isArray(dys) ? dys : [dys];
      // tfjs fills in zeros of full size for outputs without a gradient, which are all but the first.
      tf.dispose(unused);
      return backward({
        dy: dy!,
        inputs: Object.fromEntries(inputsToSave.map((key, i) => [key, saved[i]])) as BackwardContext<
          I,
          A,
          S
        >['inputs'],
        outputs: saved.slice(inputsToSave.length),
        attrs: attrs as unknown as A,
        share: (compute) => {
          const tensors = tf.tidy(compute);
          sharedByLastNode.push(...tensors);
          return tensors;
        },
      });
    },
  });
}

/** tfjs walks over every key of the inputs, so an input that is left out must have none. */
function present(inputs: object): tf.NamedTensorMap {
  const all = inputs as Record<string, tf.Tensor | undefined>;
  for (const name in all) {
    if (!all[name])
      return Object.fromEntries(Object.entries(all).filter(([, tensor]) => tensor)) as tf.NamedTensorMap;
  }
  return all as tf.NamedTensorMap;
}
