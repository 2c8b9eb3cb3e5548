/** transformers.js, with onnxruntime-web as its runtime: by itself it would take the native one in Node. */
import { join } from 'node:path';
import { mixedText } from '../src/mixed-text.ts';
import { readTokenizer } from '../src/tokenizer-files.ts';
import { firstRows, readSafetensors } from './safetensors.mjs';

/** @param file of a decoder, which is there in two forms. */
export async function open(work, setting, file = 'model') {
  const transformers = await load(setting);
  if (work.kind === 'tokenize') return openTokenize(transformers, work);
  const golden = readSafetensors(join(setting.models, work.model, 'golden.safetensors'));
  const options = {
    dtype: work.held === 'q8' ? 'q8' : 'fp32',
    device: 'auto',
    model_file_name: file,
    session_options: { executionProviders: ['wasm'] },
  };
  if (work.kind === 'decode') return openDecode(transformers, work.model, options, golden);
  const { CLIPVisionModelWithProjection, SiglipVisionModel, Tensor } = transformers;
  const kind = work.model.startsWith('clip') ? CLIPVisionModelWithProjection : SiglipVisionModel;
  const model = await kind.from_pretrained(work.model, options);
  const { data, shape } = firstRows(golden.pixel_values, work.batch);
  const pictures = new Tensor('float32', data, shape);
  return {
    async run() {
      const { image_embeds, pooler_output } = await model({ pixel_values: pictures });
      const { data: values } = image_embeds ?? pooler_output;
      return { values: () => values };
    },
  };
}

/** The decoder with operators fused as in the files that are published for browsers. */
export const openFused = (work, setting) => open(work, setting, 'model_gqa');

async function load({ models, threads }) {
  const ort = await import('onnxruntime-web');
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmPaths = new URL('./', import.meta.resolve('onnxruntime-web')).href;
  globalThis[Symbol.for('onnxruntime')] = ort;
  const transformers = await import('@huggingface/transformers');
  Object.assign(transformers.env, { allowRemoteModels: false, localModelPath: models });
  return transformers;
}

async function openDecode({ AutoModelForCausalLM, Tensor }, name, options, golden) {
  const model = await AutoModelForCausalLM.from_pretrained(name, options);
  const ids = golden.input_ids.data;
  const count = golden.tokens.data.length;
  const integers = (values) => new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length]);
  const prompt = { inputs: integers(ids), attention_mask: integers(new Array(ids.length).fill(1)) };
  const limits = { max_new_tokens: count, min_new_tokens: count, do_sample: false };
  return {
    async run() {
      const times = [];
      const start = performance.now();
      const streamer = { put: () => times.push(performance.now()), end() {} };
      const out = await model.generate({ ...prompt, ...limits, streamer });
      // The streamer gets the prompt first.
      const msPerToken = (performance.now() - times[1]) / (count - 1);
      return {
        tokens: Array.from(out.data, Number).slice(ids.length),
        msToFirst: times[1] - start,
        msPerToken,
      };
    },
  };
}

/** The class of a tokenizer changes nothing of what is measured. */
function openTokenize({ PreTrainedTokenizer }, work) {
  const tokenizer = new PreTrainedTokenizer(...readTokenizer(work.tokenizer));
  const text = mixedText(work.bytes);
  return {
    async run() {
      const ids = tokenizer.encode(text, { add_special_tokens: false });
      return { values: () => ids };
    },
  };
}
