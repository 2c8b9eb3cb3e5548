/** Sizes of the parts. */
export interface Sizes {
  readonly patchSize: number;
  readonly encoder: TowerSize;
  /** The text tower of the contrastive stage. */
  readonly text: TowerSize & { readonly maxLength: number };
  readonly decoder: TowerSize & {
    readonly intermediateSize: number;
    readonly initializerRange: number;
    readonly embeddingRange: number;
  };
}

interface TowerSize {
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
}

/** How long and how fast a stage learns. */
export interface StageRecipe {
  readonly steps: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly warmupSteps: number;
}

export interface Recipe {
  readonly sizes: Sizes;
  readonly contrastive: StageRecipe;
  readonly align: StageRecipe;
  readonly instruct: StageRecipe;
}

const sizes: Sizes = {
  patchSize: 16,
  encoder: { hiddenSize: 64, numLayers: 3, numHeads: 4 },
  text: { hiddenSize: 64, numLayers: 1, numHeads: 4, maxLength: 8 },
  decoder: {
    hiddenSize: 64,
    numLayers: 2,
    numHeads: 4,
    intermediateSize: 192,
    initializerRange: 0.125,
    embeddingRange: 1,
  },
};

export const recipes = {
  quick: {
    sizes,
    contrastive: { steps: 1500, batchSize: 32, learningRate: 1e-3, warmupSteps: 50 },
    align: { steps: 50, batchSize: 32, learningRate: 2e-3, warmupSteps: 5 },
    instruct: { steps: 1400, batchSize: 32, learningRate: 3e-3, warmupSteps: 50 },
  },
  long: {
    sizes,
    contrastive: { steps: 4000, batchSize: 64, learningRate: 1e-3, warmupSteps: 100 },
    align: { steps: 50, batchSize: 32, learningRate: 2e-3, warmupSteps: 5 },
    instruct: { steps: 3000, batchSize: 64, learningRate: 3e-3, warmupSteps: 100 },
  },
} satisfies Record<string, Recipe>;
