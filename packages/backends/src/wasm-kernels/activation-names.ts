/** The activations of the op layer; the place of each is its number in `assembly/activations.ts`. */
const ACTIVATIONS = ['gelu', 'gelu_tanh', 'quick_gelu', 'silu', 'relu', 'relu2', 'tanh', 'sigmoid'] as const;

export type Activation = (typeof ACTIVATIONS)[number];

export const activationNumber = (name: Activation): number => ACTIVATIONS.indexOf(name);

/** In place of an activation's number. */
export const NO_ACTIVATION = -1;
