/** The activations of the op layer. */
export type Activation = 'gelu' | 'gelu_tanh' | 'quick_gelu' | 'silu' | 'relu' | 'relu2' | 'tanh' | 'sigmoid';

interface Formula {
  readonly value: string;
  readonly slope: string;
}

const GELU_LINEAR = 2 * Math.sqrt(2 / Math.PI);
const GELU_CUBIC = GELU_LINEAR * 0.044715;

/** `x · σ(inner)`, whose derivative is `s + x·s·(1 − s)·inner'` with `s = σ(inner)`. */
const gatedBySigmoid = (inner: string, innerSlope: string): Formula => ({
  value: `x * sigmoid(${inner})`,
  slope: `sigmoid(${inner}) + x * sigmoid(${inner}) * sigmoid(-(${inner})) * (${innerSlope})`,
});

const FORMULAS: Record<Activation, Formula> = {
  gelu: {
    value: 'x * normalCdf(x)',
    slope: `normalCdf(x) + x * ${1 / Math.sqrt(2 * Math.PI)} * exp(-0.5 * x * x)`,
  },
  // ½(1 + tanh(u)) = σ(2u) with u = √(2/π)·(x + 0.044715·x³): Hendrycks & Gimpel, arXiv:1606.08415.
  gelu_tanh: gatedBySigmoid(
    `x * (${GELU_LINEAR} + ${GELU_CUBIC} * x * x)`,
    `${GELU_LINEAR} + ${3 * GELU_CUBIC} * x * x`,
  ),
  quick_gelu: gatedBySigmoid('1.702 * x', '1.702'),
  silu: gatedBySigmoid('x', '1.0'),
  relu: { value: 'max(x, 0.0)', slope: 'select(0.0, 1.0, x > 0.0)' },
  relu2: { value: 'max(x, 0.0) * max(x, 0.0)', slope: '2.0 * max(x, 0.0)' },
  tanh: { value: 'boundedTanh(x)', slope: '1.0 - boundedTanh(x) * boundedTanh(x)' },
  sigmoid: { value: 'sigmoid(x)', slope: 'sigmoid(x) * sigmoid(-x)' },
};

/**
 * WGSL: `activation(x)` and `activationSlope(x)`. Both keep NaN, which WGSL's `max`, `min` and `clamp` may lose.
 * `exp` and `tanh` are kept from arguments whose results overflow, since shaders may count on finite numbers.
 */
export const activationCode = (kind: Activation): string => `
  fn sigmoid(x : f32) -> f32 { return 1.0 / (1.0 + exp(min(-x, 88.0))); }

  fn boundedTanh(x : f32) -> f32 { return tanh(clamp(x, -15.0, 15.0)); }

  // erf by Abramowitz & Stegun 7.1.26, within 1.5e-7.
  fn normalCdf(x : f32) -> f32 {
    let z = min(abs(x) * ${Math.SQRT1_2}, 9.0);
    let t = 1.0 / (1.0 + 0.3275911 * z);
    let series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let tail = 0.5 * series * exp(-z * z);
    return select(tail, 1.0 - tail, x >= 0.0);
  }

  fn activation(x : f32) -> f32 { return select(${FORMULAS[kind].value}, x, isnan(x)); }

  fn activationSlope(x : f32) -> f32 { return select(${FORMULAS[kind].slope}, x, isnan(x)); }`;
