import '@tensorflow/tfjs-backend-cpu';
import {
  ConfigError,
  type DenseImages,
  disposeImages,
  type ImagePreprocessing,
  type ModelInputs,
  PictureError,
  PlaceholderCountError,
  type ProcessorContext,
  type Sample,
  type SequencePiece,
  ShapeError,
  type TextTokenizer,
} from '@mmllm/core';
import * as tf from '@tensorflow/tfjs-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { decodePicture } from './pictures/decode';
import { prepareImages } from './prepare/prepare';
import { type TextAndImagesOptions, textAndImages } from './processor';
import { noise } from './testing/noise';
import { HalvingProjector, LayoutEncoder, PiecesFusion } from './testing/parts';
import { pictureUrl } from './testing/pictures';
import { wordTokenizer } from './text/words';
import { tokenizerFromJson } from './tokenizer/tokenizer';

const scale = { rescale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] } as const;
const fixed: ImagePreprocessing = {
  ...scale,
  kind: 'fixed',
  size: { height: 8, width: 8 },
  fit: 'stretch',
  resample: 'bilinear',
};
const tiles: ImagePreprocessing = {
  ...scale,
  kind: 'tiles',
  tileSize: 8,
  minTiles: 1,
  maxTiles: 4,
  thumbnail: 'last',
  resample: 'bilinear',
};
const tokenizer = wordTokenizer(['user: assistant: is it a red circle? yes no tile row']);
const picture = noise(12, 10);

function vision(
  preprocessing = fixed,
  pieces?: ConstructorParameters<typeof PiecesFusion>[0],
): ProcessorContext {
  return {
    encoder: new LayoutEncoder(preprocessing),
    projector: new HalvingProjector(),
    fusion: new PiecesFusion(pieces),
  };
}

const build = (options: Partial<TextAndImagesOptions> = {}, context = vision()) =>
  textAndImages({ tokenizer, ...options }).build(context);

/** The ids of every sample, padding included. */
function rows({ ids: { data, shape } }: ModelInputs): number[][] {
  return Array.from({ length: shape[0] }, (_, b) => [...data.subarray(b * shape[1], (b + 1) * shape[1])]);
}

const ids = (text: string): number[] => [...tokenizer.encode(text)];

async function processed(
  samples: readonly Sample[],
  processor = build(),
  padding: 'left' | 'right' = 'right',
) {
  const inputs = await processor.process(samples, { padding });
  if (inputs.images) disposeImages(inputs.images);
  return inputs;
}

let before: number;
beforeEach(() => {
  before = tf.memory().numTensors;
  return () => expect(tf.memory().numTensors).toBe(before);
});

describe('a prompt', () => {
  it('gives each image token as many ids as its picture has projected tokens', async () => {
    const samples = [
      { prompt: '<image> is it red?', images: [picture] },
      { prompt: 'yes' },
      { prompt: '<image> a <image>', images: [noise(3, 4), picture] },
    ];
    const inputs = await processed(samples);
    expect(rows(inputs)).toEqual([
      ids('<image> <image> is it red?'),
      ids('yes <pad> <pad> <pad> <pad> <pad>'),
      ids('<image> <image> a <image> <image> <pad>'),
    ]);
    expect(inputs).toMatchObject({
      start: Int32Array.of(0, 0, 0),
      end: Int32Array.of(6, 1, 5),
      imagesPerSample: [1, 0, 2],
      imageTokenId: tokenizer.tokenId('<image>'),
    });
    expect(inputs).not.toHaveProperty('labels');
  });

  it('is padded on the left for generation', async () => {
    const inputs = await processed([{ prompt: 'yes' }, { prompt: 'is it red' }], build(), 'left');
    expect(rows(inputs)).toEqual([ids('<pad> <pad> yes'), ids('is it red')]);
    expect(inputs).toMatchObject({ start: Int32Array.of(2, 0), end: Int32Array.of(3, 3) });
    expect(inputs).not.toHaveProperty('images');
  });

  it('takes the pieces of the fusion: features, texts and markers', async () => {
    const pieces = (views: number): SequencePiece[] => [
      { kind: 'text', text: 'tile' },
      { kind: 'features', count: 3 },
      { kind: 'text', text: 'row' },
      ...Array<SequencePiece>(views).fill({ kind: 'marker' }),
    ];
    const processor = build(
      {},
      vision(tiles, (image) => pieces(image.views.length)),
    );
    const prompt = 'is <image>red';
    const inputs = await processed(
      [
        { prompt, images: [noise(20, 10)] },
        { prompt, images: [noise(8, 8)] },
      ],
      processor,
    );
    expect(rows(inputs)).toEqual([
      ids('is tile <image> <image> <image> row <image> <image> <image> red'),
      ids('is tile <image> <image> <image> row <image> red <pad> <pad>'),
    ]);
  });

  it('starts with the token of the beginning, once', async () => {
    const samples = [{ prompt: 'yes' }, { prompt: '<s> no' }];
    expect(rows(await processed(samples, build({ bosToken: '<s>' })))).toEqual([
      ids('<s> yes'),
      ids('<s> no'),
    ]);
  });

  it('gets its pictures as the encoder wants them', async () => {
    const pictures = [picture, noise(5, 5)];
    const { images } = await build().process([{ prompt: '<image> <image>', images: pictures }], {
      padding: 'left',
    });
    const expected = prepareImages(pictures, fixed) as DenseImages;
    expect(images!.images).toEqual(expected.images);
    expect(await (images as DenseImages).pixels.data()).toEqual(await expected.pixels.data());
    disposeImages(images!);
    disposeImages(expected);
  });

  it('is long only in ids: its text keeps one image token for each picture', async () => {
    const asked: string[] = [];
    const counting: TextTokenizer = {
      ...tokenizer,
      encode: (text) => {
        asked.push(text);
        return tokenizer.encode(text);
      },
    };
    const processor = build(
      { tokenizer: counting },
      vision(fixed, () => [{ kind: 'features', count: 100_000 }]),
    );
    asked.length = 0;
    const inputs = await processed([{ prompt: 'a <image>', images: [picture] }], processor);
    expect(inputs.ids.shape).toEqual([1, 100_001]);
    await processed([{ prompt: 'a <image>', images: [noise(2, 2)] }], processor);
    expect(asked).toEqual(['a <image>']);
  });
});

describe('a picture whose features the caller has', () => {
  const other = noise(9, 9);
  const sample = { prompt: '<image> is it red? <image>', images: [picture, other] };

  it('gets its placeholders, and is neither decoded nor among the pictures', async () => {
    const processor = build({}, vision(tiles));
    const whole = await processor.process([sample], { padding: 'right' });
    const [prepared] = whole.images!.images;
    const asked: unknown[] = [];
    const known = (image: unknown) => {
      asked.push(image);
      return image === picture ? prepared : undefined;
    };
    const part = await processor.process([sample], { padding: 'right', known });
    expect(asked).toEqual([picture, other]);
    expect(rows(part)).toEqual(rows(whole));
    expect(part.imagesPerSample).toEqual([2]);
    expect(part.images!.images).toEqual(whole.images!.images.slice(1));
    for (const { images } of [whole, part]) disposeImages(images!);
  });

  it('needs not even exist any more', async () => {
    const processor = build();
    const whole = await processor.process([sample], { padding: 'right' });
    const all = whole.images!.images;
    disposeImages(whole.images!);
    const gone = { ...sample, images: ['gone-1.png', 'gone-2.png'] };
    const known = (image: unknown) => all[gone.images.indexOf(String(image))];
    const part = await processor.process([gone], { padding: 'right', known });
    expect(rows(part)).toEqual(rows(whole));
    expect(part.images).toBeUndefined();
  });
});

describe('an answer', () => {
  it('follows the prompt, ends with the stop token, and alone is labelled', async () => {
    const samples = [
      { prompt: '<image> red?', images: [picture], answer: 'yes' },
      { prompt: 'is it', answer: 'a red circle' },
      { prompt: 'no' },
    ];
    const inputs = await processed(samples);
    expect(rows(inputs)).toEqual([
      ids('<image> <image> red? yes </s>'),
      ids('is it a red circle </s>'),
      ids('no <pad> <pad> <pad> <pad> <pad>'),
    ]);
    const [yes, a, red, circle, stop] = ids('yes a red circle </s>');
    const none = -100;
    expect([...inputs.labels!]).toEqual(
      [
        [none, none, none, yes, stop, none],
        [none, a, red, circle, stop, none],
        [none, none, none, none, none, none],
      ].flat(),
    );
  });

  it('may be empty: the model learns to stop', async () => {
    const inputs = await processed([{ prompt: 'yes', answer: '' }]);
    expect(rows(inputs)).toEqual([ids('yes </s>')]);
    expect([...inputs.labels!]).toEqual([tokenizer.tokenId('</s>'), -100]);
  });
});

describe('a conversation', () => {
  const sample: Sample = {
    messages: [
      { role: 'user', content: 'is it red?' },
      { role: 'assistant', content: 'no' },
      {
        role: 'user',
        content: [
          { type: 'image', image: picture },
          { type: 'text', text: 'is it a circle?' },
        ],
      },
    ],
    answer: 'yes',
  };

  it('is rendered plainly, up to the answer', async () => {
    const text = 'user: is it red? assistant: no user: <image> <image> is it a circle? assistant: yes </s>';
    expect(rows(await processed([sample]))).toEqual([ids(text)]);
  });

  it('is rendered by a template', async () => {
    const template: TextAndImagesOptions['template'] = (messages, { addGenerationPrompt, imageToken }) =>
      `${messages.length > 2 && addGenerationPrompt ? 'yes' : 'no'} ${imageToken}`;
    expect(rows(await processed([sample], build({ template })))).toEqual([
      ids('yes <image> <image> yes </s>'),
    ]);
  });
});

describe('bad input', () => {
  const missing = 'no-such-file.png';

  it.each<[string, Sample]>([
    [
      "samples[1]: expected one '<image>' for each of 2 pictures, got 1.",
      { prompt: '<image>', images: [missing, missing] },
    ],
    ["samples[1]: expected one '<image>' for each of 0 pictures, got 1.", { prompt: 'a <image>' }],
    ["samples[1]: expected one '<image>' for each of 1 pictures, got 0.", { prompt: 'a', images: [missing] }],
    ['samples[1].answer:', { prompt: 'a', answer: 'it is <image>' }],
    ['samples[1]:', { messages: [{ role: 'user', content: 'what does <image> mean?' }] }],
  ])('is refused before a picture is read: %s', async (message, sample) => {
    const result = build().process([{ prompt: 'yes' }, sample], { padding: 'left' });
    await expect(result).rejects.toBeInstanceOf(PlaceholderCountError);
    await expect(result).rejects.toThrow(message);
  });

  it('is refused where the tokenizer finds more image tokens than the text spells', async () => {
    const file = tokenizer.toJson() as { added_tokens: object[] };
    const added_tokens = file.added_tokens.map((token) => ({ ...token, normalized: true }));
    const lowered = tokenizerFromJson({ ...file, added_tokens });
    const result = build({ tokenizer: lowered }).process([{ prompt: '<IMAGE>' }], { padding: 'left' });
    await expect(result).rejects.toBeInstanceOf(PlaceholderCountError);
  });

  it('names the picture that cannot be read', async () => {
    const result = build().process([{ prompt: '<image>', images: [missing] }], { padding: 'left' });
    await expect(result).rejects.toBeInstanceOf(PictureError);
    await expect(result).rejects.toThrow(missing);
  });

  it('frees the pictures when something fails after them', async () => {
    const context = vision(fixed, () => {
      throw new Error('no layout');
    });
    const result = build({}, context).process([{ prompt: '<image>', images: [picture] }], {
      padding: 'left',
    });
    await expect(result).rejects.toThrow('no layout');
  });

  it('has no pictures for a text model', async () => {
    const processor = build({}, {});
    expect(rows(await processed([{ prompt: 'yes' }], processor))).toEqual([ids('yes')]);
    const result = processor.process([{ prompt: '<image>', images: [picture] }], { padding: 'left' });
    await expect(result).rejects.toBeInstanceOf(ShapeError);
  });

  it('stops when asked to', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const sample = { prompt: '<image>', images: [picture] };
    await expect(build().process([sample], { padding: 'left', signal })).rejects.toThrow('enough');
  });

  it.each<[string, Partial<TextAndImagesOptions>]>([
    [
      "stopTokens: expected a special token of the vocabulary, got '<end>', which it does not hold",
      { stopTokens: ['<end>'] },
    ],
    ['stopTokens: expected at least one token', { stopTokens: [] }],
    ["imageToken: expected a special token of the vocabulary, got '[img]'", { imageToken: '[img]' }],
    ["bosToken: expected a special token of the vocabulary, got '<bos>'", { bosToken: '<bos>' }],
    ["padToken: expected a special token of the vocabulary, got '[p]'", { padToken: '[p]' }],
  ])('is refused when the processor is built: %s', (message, options) => {
    expect(() => build(options)).toThrow(ConfigError);
    expect(() => build(options)).toThrow(`textAndImages.${message}`);
  });
});

describe('the processor', () => {
  it('pads with the stop token where the vocabulary has no <pad>', async () => {
    const words = wordTokenizer(['yes no'], { specialTokens: ['<image>', '</s>'] });
    const inputs = await processed([{ prompt: 'yes no' }, { prompt: 'no' }], build({ tokenizer: words }));
    expect(rows(inputs)).toEqual([
      [3, 4],
      [4, 2],
    ]);
  });

  it('says which tokens end an answer', () => {
    expect(build({ stopTokens: ['</s>', '?'] }).stopIds).toEqual(['</s>', '?'].map(tokenizer.tokenId));
  });

  it('prepares pictures alone, from files too', async () => {
    const batch = await build().prepareImages([pictureUrl('rgb.png'), picture]);
    expect((batch as DenseImages).pixels.shape).toEqual([2, 8, 8, 3]);
    disposeImages(batch);
  });

  it('lays transparent pictures over white where the encoder wants that', async () => {
    const pixels = async (alpha: 'drop' | 'white') => {
      const processor = build({}, vision({ ...fixed, alpha }));
      const batch = await processor.prepareImages([pictureUrl('rgba.png')]);
      const values = await (batch as DenseImages).pixels.data();
      disposeImages(batch);
      return values;
    };
    const picture = await decodePicture(pictureUrl('rgba.png'), { alpha: 'white' });
    const expected = prepareImages([picture], fixed) as DenseImages;
    const values = await expected.pixels.data();
    disposeImages(expected);
    expect(await pixels('white')).toEqual(values);
    expect(await pixels('drop')).not.toEqual(values);
  });
});
