import type {
  Decoder,
  FusionFactory,
  ImageEncoder,
  ImageGenerator,
  ImageGeneratorFactory,
  Processor,
  ProcessorFactory,
  Projector,
  ProjectorFactory,
} from './contracts';
import { adapt } from './contracts/versions';
import { type PictureTokens, tokensOfPicture } from './describe';
import { ContextLengthError, ShapeError } from './errors';
import type { ModelGenerateOptions } from './generation';
import { MultimodalModel } from './model';

/** A model that sees: an encoder, and what carries its features into the decoder. */
export interface VisionLanguageParts {
  readonly encoder: ImageEncoder;
  readonly projector: ProjectorFactory;
  readonly fusion: FusionFactory;
  readonly decoder: Decoder;
  /** How it makes pictures, if it does. */
  readonly generator?: ImageGeneratorFactory;
  readonly processor?: ProcessorFactory;
  /** What `generate` does where a call says nothing else, such as `generationFromHuggingFace` gives. */
  readonly generation?: ModelGenerateOptions;
}

/** A text model alone. */
export interface TextParts {
  readonly encoder?: undefined;
  readonly projector?: undefined;
  readonly fusion?: undefined;
  readonly decoder: Decoder;
  /** How it makes pictures, if it does. */
  readonly generator?: ImageGeneratorFactory;
  readonly processor?: ProcessorFactory;
  /** What `generate` does where a call says nothing else, such as `generationFromHuggingFace` gives. */
  readonly generation?: ModelGenerateOptions;
}

export interface ComposeOptions {
  /** Seed of the weights that no checkpoint filled. Default 0. */
  readonly seed?: number;
  /** Leave the weights out: the model can be described and counted, and filled by a checkpoint later. */
  readonly shapeOnly?: boolean;
}

/**
 * Wires parts into one model. Every size is inferred; the parts are built shape-only, checked against each other,
 * and only then given weights, so a misfit costs nothing.
 *
 * @throws UnsupportedVersionError for a part of an unknown contract version.
 * @throws ShapeError, ConfigError if parts do not fit.
 * @throws ContextLengthError if one picture fills the decoder's context.
 */
export async function composeModel(
  parts: VisionLanguageParts | TextParts,
  { seed, shapeOnly = false }: ComposeOptions = {},
): Promise<MultimodalModel> {
  const model = new MultimodalModel({ ...build(parts), generation: parts.generation });
  if (!shapeOnly) model.initialize({ seed });
  return model;
}

function build(parts: VisionLanguageParts | TextParts) {
  const decoder = adapt('decoder', parts.decoder);
  const processor = parts.processor && adapt('processor', parts.processor);
  const generator = parts.generator && buildGenerator(parts.generator, decoder);
  if (!parts.encoder) return { decoder, generator, processor: fitting(processor?.build({}), decoder) };
  const encoder = adapt('encoder', parts.encoder);
  const sizes = { inputSize: encoder.featureSize, outputSize: decoder.hiddenSize };
  const projector = adapt('projector', adapt('projector', parts.projector).build(sizes));
  checkProjector(projector, sizes);
  const fusion = adapt('fusion', adapt('fusion', parts.fusion).build({ decoder, encoder }));
  checkContext(tokensOfPicture({ encoder, projector, fusion }), decoder);
  const built = fitting(processor?.build({ encoder, projector, fusion }), decoder);
  return { encoder, projector, fusion, decoder, generator, processor: built };
}

function buildGenerator(factory: ImageGeneratorFactory, decoder: Decoder): ImageGenerator {
  const generator = adapt('generator', adapt('generator', factory).build({ decoder }));
  adapt('tokenizer', generator.tokenizer);
  return generator;
}

/** @throws ShapeError for a vocabulary that the decoder cannot embed. */
function fitting(processor: Processor | undefined, { name, vocabSize }: Decoder): Processor | undefined {
  // One token more is the image token of models that keep it outside of their vocabulary, as LLaVA does.
  if (!processor || processor.tokenizer.vocabSize <= vocabSize + 1) return processor;
  throw new ShapeError({
    component: `decoder '${name}'`,
    expected: `a vocabulary of at least ${processor.tokenizer.vocabSize} tokens, the tokenizer's`,
    actual: `${vocabSize}`,
    hint: "Give it the tokenizer's vocabSize.",
  });
}

/** Only sizes that every picture has can be refused: larger ones than the context may never come. */
function checkContext(picture: PictureTokens | undefined, { name, maxLength }: Decoder): void {
  if (!picture?.exact || picture.inSequence < maxLength) return;
  throw new ContextLengthError({
    component: `decoder '${name}'`,
    expected: `pictures of fewer tokens than its context of ${maxLength}`,
    actual: `${picture.inSequence} tokens for each`,
  });
}

function checkProjector(
  projector: Projector,
  { inputSize, outputSize }: { inputSize: number; outputSize: number },
): void {
  if (projector.inputSize === inputSize && projector.outputSize === outputSize) return;
  throw new ShapeError({
    component: `projector '${projector.name}'`,
    expected: `${inputSize} (the encoder's width) to ${outputSize} (the decoder's)`,
    actual: `${projector.inputSize} to ${projector.outputSize}`,
  });
}
