import {
  type DecoderInputs,
  type Fusion,
  type FusionFactory,
  type FusionInputs,
  type ImageTokens,
  Module,
  type SequencePiece,
  textOrder,
} from '@mmllm/core';
import { countFeatureRows, placeImages } from './images';
import { embedText, replaceRows, sourceRows } from './sequence';

const name = 'unified';
const component = `fusion '${name}'`;

/**
 * Method A: every feature row takes the place of one image token, and the decoder reads it like a word (LLaVA, Liu et
 * al. 2023, arXiv:2304.08485). No parameters of its own.
 */
class Unified extends Module implements Fusion {
  readonly specVersion = 'fusion/v1';
  readonly name = name;

  placeholders(image: ImageTokens): SequencePiece[] {
    return [{ kind: 'features', count: countFeatureRows(image.views) }];
  }

  fuse(inputs: FusionInputs): DecoderInputs {
    const images = placeImages(component, inputs, ({ views }) => countFeatureRows(views));
    const text = embedText(inputs);
    if (images.length === 0) return { embeddings: text, ...textOrder(inputs) };
    try {
      const { features } = inputs.encode();
      const rows = sourceRows(images, inputs.ids.shape, ({ views }) => views);
      const embeddings = replaceRows(component, text, features, rows);
      return { embeddings, ...textOrder(inputs) };
    } finally {
      text.dispose();
    }
  }
}

/** Placeholder substitution; the pictures stand in the text and share its causal rule and sequential positions. */
export function unified(): FusionFactory {
  return { specVersion: 'fusion/v1', name, build: () => new Unified() };
}
