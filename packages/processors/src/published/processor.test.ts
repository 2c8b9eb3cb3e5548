import { ConfigError, PlaceholderCountError, TokenizerError } from '@mmllm/core';
import { describe, expect, it } from 'vitest';
import { caseFolder } from '../testing/case-folder';
import { caseFile } from '../testing/golden';
import { noise } from '../testing/noise';
import { processorFromHuggingFace } from './open';
import type { HuggingFaceProcessor } from './processor';

const open = (name: string, changes?: Record<string, string | undefined>) =>
  processorFromHuggingFace(caseFolder(`processor-${name}/base`, changes));

const [first, second] = [noise(60, 40), noise(31, 47)];
const question = (...content: unknown[]) => ({ role: 'user', content });
const text = (text: string) => ({ type: 'text', text });
const answer = (said: string) => ({ role: 'assistant', content: [text(said)] });

describe('processorFromHuggingFace', () => {
  it('takes the class of the first file that names one, else the kind of the model', async () => {
    const named = await open('llava');
    expect(named.className).toBe('LlavaProcessor');
    const config = JSON.parse((await caseFolder('processor-clip/base').text('processor_config.json'))!);
    const kind = await open('clip', {
      'processor_config.json': undefined,
      'preprocessor_config.json': JSON.stringify(config.image_processor),
      'tokenizer_config.json': '{"pad_token": "<|endoftext|>"}',
      'config.json': '{"model_type": "clip"}',
    });
    expect(kind.className).toBe('CLIPProcessor');
  });

  it.each([
    [{ 'processor_config.json': '{"processor_class": "BertProcessor"}' }, /Llava.*got "BertProcessor"/],
    [{ 'processor_config.json': '{"processor_class": "constructor"}' }, /got "constructor"/],
    [{ 'tokenizer.json': undefined }, /LlavaProcessor: expected 'tokenizer.json', got no such file/],
    [{ 'processor_config.json': '{"processor_class": "LlavaProcessor"}' }, ConfigError],
  ])('refuses %o', async (changes, message) => {
    await expect(open('llava', changes)).rejects.toThrow(message);
    await expect(open('llava', changes)).rejects.toThrow(ConfigError);
  });

  it('refuses a model that nothing names', async () => {
    const changes = { 'processor_config.json': '{}', 'tokenizer_config.json': '{}' };
    await expect(open('llava', changes)).rejects.toThrow(/got none/);
    const bert = { ...changes, 'config.json': '{"model_type": "bert"}' };
    await expect(open('llava', bert)).rejects.toThrow(/a model of kind "bert"/);
  });
});

describe('a processor', () => {
  it.each([
    ['more pictures than tokens', { text: 'a <image>', images: [first, second] }],
    ['fewer pictures than tokens', { text: '<image><image>', images: [first] }],
    ['a token without any picture', { text: '<image>' }],
    ['pictures of another text', { text: ['<image>', '<image>'], images: [[first, second], []] }],
    ['lists for another number of texts', { text: ['<image>', '<image>'], images: [[first, second]] }],
    ['a video token without a video', { text: 'a', videos: [{ frames: [first] }] }],
  ])('refuses %s', async (_, input) => {
    const processor = await open('llava');
    const error = await processor(input, { padding: true }).catch((error) => error);
    expect(PlaceholderCountError.isInstance(error) || ConfigError.isInstance(error)).toBe(true);
  });

  it('refuses a truncation that cuts a picture', async () => {
    const processor = await open('llava');
    const call = processor(
      { text: '<image> and more', images: [first] },
      { truncation: true, maxLength: 20 },
    );
    await expect(call).rejects.toThrow(TokenizerError);
    await expect(call).rejects.toThrow(
      /LlavaProcessor text\[0\]: expected 36 image tokens in its ids, got 19/,
    );
  });

  it('refuses messages without a template, and nothing at all', async () => {
    const processor = await open('pixtral');
    await expect(processor({ messages: [question(text('hello'))] })).rejects.toThrow(/a chat template/);
    const llava = await open('llava');
    await expect(llava({ messages: [] })).rejects.toThrow('expected at least one message, got none');
    await expect(processor({ text: [] })).rejects.toThrow('expected a text or a picture, got neither');
    await expect(processor({})).rejects.toThrow('expected a text or a picture, got neither');
  });

  it('stops where it is told to', async () => {
    const processor = await open('llava');
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(processor({ text: '<image>', images: [first] }, { signal })).rejects.toThrow('enough');
  });

  it('takes one conversation or several, and a picture by any of its names', async () => {
    const processor = await open('llava');
    const bytes = caseFile('processor-llava/base/0-60x40.png');
    const conversation = (key: string) => [question({ type: 'image', [key]: bytes }, text('What is it?'))];
    const one = await processor({ messages: conversation('image') });
    expect(await processor({ messages: [conversation('url')] })).toEqual(one);
    expect(await processor({ messages: conversation('path') })).toEqual(one);
    const elsewhere = [question({ type: 'image_url', image_url: { url: bytes } }, text('What is it?'))];
    expect(await processor({ messages: elsewhere })).toEqual(one);
    expect(one.pixel_values?.shape).toEqual([1, 3, 42, 42]);
    await expect(processor({ messages: [question({ type: 'image' })] })).rejects.toThrow(
      "messages: expected a part of type 'image' with its 'image', got one without.",
    );
  });

  it('gives pictures alone where no text is asked for', async () => {
    const processor = await open('clip');
    expect(Object.keys(await processor({ images: [first, second] }))).toEqual(['pixel_values']);
  });

  it('prepares pictures in another way for one call', async () => {
    const processor = await open('siglip');
    const { pixel_values } = await processor(
      { images: [first] },
      { imageOptions: { size: { height: 10, width: 12 } } },
    );
    expect(pixel_values?.shape).toEqual([1, 3, 10, 12]);
  });
});

describe('forTraining', () => {
  const conversation = [
    question({ type: 'image', image: first }, text('What is it?')),
    answer('A red car.'),
    question(text('Sure?')),
    answer('Yes.'),
  ];

  /** The text of the ids that are to be learned. */
  async function learned(processor: HuggingFaceProcessor) {
    const { input_ids, labels, assistant_masks } = await processor.forTraining({ messages: conversation });
    const ids = input_ids!.data.filter((_, i) => labels!.data[i] !== -100);
    expect([...labels!.data.filter((id) => id !== -100)]).toEqual([...ids]);
    expect([...assistant_masks!.data]).toEqual([...labels!.data].map((id) => Number(id !== -100)));
    return processor.tokenizer.decode(ids);
  }

  it('labels what the template marks as said by the assistant', async () => {
    expect(await learned(await open('llava'))).toBe('A red car. Yes. ');
  });

  it('finds it where the template does not mark it', async () => {
    const template = (await caseFolder('processor-llava/base').text('chat_template.jinja'))!;
    expect(template).toContain('{% generation %}');
    const plain = template.replaceAll(/\{%-? (end)?generation -?%\}/g, '');
    expect(await learned(await open('llava', { 'chat_template.jinja': plain }))).toContain('A red car.');
  });

  it('pads a batch of conversations', async () => {
    const processor = await open('llava');
    const short = [question(text('Who?')), answer('Me.')];
    const { input_ids, labels } = await processor.forTraining({ messages: [conversation, short] });
    expect(labels!.shape).toEqual(input_ids!.shape);
    expect(labels!.data.at(-1)).toBe(-100);
  });

  it('refuses a template whose prompts depend on the answer', async () => {
    const template = '{{ messages | length }}{% for m in messages %}{{ m.content[0].text }}{% endfor %}';
    const processor = await open('llava', { 'chat_template.jinja': template });
    const messages = [question(text('hello')), answer('hi')];
    await expect(processor.forTraining({ messages })).rejects.toThrow(/messages\[1\]/);
  });

  it('refuses text in which nothing is to be learned', async () => {
    const processor = await open('llava');
    await expect(processor.forTraining({ text: 'hello' })).rejects.toThrow(ConfigError);
  });

  it('labels the suffix of PaliGemma', async () => {
    const processor = await open('paligemma');
    const input = { text: '<image>What?', images: [first] };
    const { labels } = await processor.forTraining(input, { suffix: ['a cat'] });
    const said = labels!.data.filter((id) => id !== -100);
    expect(processor.tokenizer.decode(said)).toBe('a cat<eos>');
  });
});
