import { MmllmError, ConfigError, composeModel, formatTable } from '@mmllm/core';
import { rm, mkdir } from 'fs/promises';
import { join } from 'path';
import { describeBackend, startBackend } from '@mmllm/backends';
import { wordTokenizer, decodePictures, textAndImages } from '@mmllm/processors';
import { train, augmented, contrastive, trained, frozen, formatPolicyTable } from '@mmllm/trainer';
import { llama } from '@mmllm/decoders/llama';
import { hybrid, crossAttention } from '@mmllm/fusion-cross-attn';
import { unified } from '@mmllm/fusion-unified';
import { linear } from '@mmllm/projectors';
import { clip, ClipModel, clipText } from '@mmllm/vision-encoders/clip';
import { fuyu } from '@mmllm/vision-encoders/fuyu';
import { siglip, SiglipModel, siglipText } from '@mmllm/vision-encoders/siglip';
import { fileURLToPath } from 'url';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import sharp from 'sharp';
import { parseArgs } from 'util';

// src/main.ts
var normalisation = { mean: [0.9, 0.9, 0.9], std: [0.2, 0.2, 0.2] };
var encoders = {
  siglip: ({ patchSize, encoder }) => siglip({ imageSize: 64, patchSize, ...encoder, normalisation, poolingHead: false }),
  clip: ({ patchSize, encoder }) => clip({ imageSize: 64, patchSize, ...encoder, normalisation }),
  fuyu: ({ patchSize }) => fuyu({ patchSize, normalisation })
};
var fusions = {
  unified: () => unified(),
  "cross-attention": ({ decoder: { numHeads } }) => crossAttention({ every: 1, numHeads }),
  hybrid: ({ decoder: { numHeads } }) => hybrid({ every: 1, numHeads })
};
function compose(choice, sizes2, tokenizer) {
  return composeModel(
    {
      encoder: encoders[choice.encoder](sizes2),
      projector: linear(),
      fusion: fusions[choice.fusion](sizes2),
      decoder: llama({ vocabSize: tokenizer.vocabSize, maxLength: 256, ...sizes2.decoder }),
      processor: textAndImages({ tokenizer, bosToken: "<s>" })
    },
    { seed: choice.seed }
  );
}
function twoTowers({ encoder, processor }, { text }) {
  if (!encoder || !("pooled" in encoder)) return void 0;
  const vision = encoder;
  const { vocabSize } = processor.tokenizer;
  if (vision.name === "clip") return new ClipModel({ vision, text: clipText({ vocabSize, ...text }) });
  const projectionSize = vision.pooledSize;
  return new SiglipModel({
    vision,
    text: siglipText({ vocabSize, projectionSize, ...text }),
    initialBias: -3
  });
}
var colors = ["black", "blue", "brown", "gray", "green", "red", "teal", "yellow"];
var shapes = ["circle", "rectangle", "triangle"];
async function loadEasyVqa(split, limit = Number.POSITIVE_INFINITY) {
  const path = fileURLToPath(new URL(`../data/${split}.parquet`, import.meta.url));
  const file = await asyncBufferFromFile(path);
  const rowEnd = Number.isFinite(limit) ? limit : void 0;
  const rows = await parquetReadObjects({ file, rowEnd, utf8: false });
  const pictures = await decodePictures(rows.map(({ image }) => image.bytes));
  return rows.map(({ question, answer }, i) => ({
    picture: pictures[i],
    questions: question,
    answers: answer,
    known: attributes(question, answer)
  }));
}
function attributes(questions2, answers) {
  const found = {};
  questions2.forEach((question, i) => {
    const answer = answers[i];
    if (answer === "yes" || answer === "no") {
      const negated = /\b(not|no)\b/.test(question);
      if (answer === "yes" === negated) return;
    }
    for (const word of [...question.replace("?", "").split(" "), answer]) {
      if (colors.includes(word)) found.color = word;
      if (shapes.includes(word)) found.shape = word;
    }
  });
  return found;
}
function questionType(answer) {
  if (colors.includes(answer)) return "color";
  return shapes.includes(answer) ? "shape" : "yes/no";
}

// src/evaluation.ts
async function evaluate(model, examples, { batchSize = 256, signal, onProgress } = {}) {
  const asked = examples.flatMap(
    ({ picture, questions: questions2, answers }) => questions2.map((question, i) => ({ picture, question, expected: answers[i] }))
  );
  const shown = [];
  for (let start = 0; start < asked.length; start += batchSize) {
    const batch = asked.slice(start, start + batchSize);
    const samples = batch.map(({ picture, question }) => ({ prompt: prompt(question), images: [picture] }));
    const answers = await model.generateAll(samples, { maxNewTokens: 4, signal });
    shown.push(...batch.map((item, i) => ({ ...item, answer: answers[i].text.trim() })));
    onProgress?.(shown.length, asked.length);
  }
  return { shown, ...summarize(shown) };
}
var prompt = (question) => `<image> ${question}`;
function summarize(shown) {
  const byType = /* @__PURE__ */ new Map();
  let right = 0;
  for (const { answer, expected } of shown) {
    const type = questionType(expected);
    const before = byType.get(type) ?? { right: 0, total: 0 };
    const correct = answer === expected ? 1 : 0;
    byType.set(type, { right: before.right + correct, total: before.total + 1 });
    right += correct;
  }
  return { overall: { right, total: shown.length }, byType };
}

// src/pixel-font.ts
var glyphs = {
  a: "ehhvhhh",
  b: "uhhuhhu",
  c: "ehggghe",
  d: "uhhhhhu",
  e: "vgguggv",
  f: "vgguggg",
  g: "ehgnhhf",
  h: "hhhvhhh",
  i: "e44444e",
  j: "72222ic",
  k: "hikokih",
  l: "ggggggv",
  m: "hrllhhh",
  n: "hhpljhh",
  o: "ehhhhhe",
  p: "uhhuggg",
  q: "ehhhlid",
  r: "uhhukih",
  s: "fgge11u",
  t: "v444444",
  u: "hhhhhhe",
  v: "hhhhha4",
  w: "hhhllla",
  x: "hha4ahh",
  y: "hha4444",
  z: "v1248gv",
  "?": "eh12404",
  ">": "8421248",
  ".": "0000004",
  "/": "0112448",
  "<": "248g842"
};
var lineHeight = 9;
var advance = 6;
function wrap(text, columns) {
  const lines = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== void 0 && line.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
function drawText(text, plot) {
  [...text.toLowerCase()].forEach((character, column) => {
    const rows = glyphs[character];
    if (!rows) return;
    for (let y = 0; y < 7; y++) {
      const bits = Number.parseInt(rows[y], 32);
      for (let x = 0; x < 5; x++) if (bits & 16 >> x) plot(column * advance + x, y);
    }
  });
}

// src/pictures.ts
function terminalPicture({ data, width, height }, columns = 24) {
  const rows = Math.round(columns * height / width / 2);
  const pixel = (x, y) => {
    const row = Math.floor((y + 0.5) * height / (rows * 2));
    const offset = 3 * (row * width + Math.floor((x + 0.5) * width / columns));
    return `${data[offset]};${data[offset + 1]};${data[offset + 2]}`;
  };
  return Array.from({ length: rows }, (_, row) => {
    const cells = Array.from(
      { length: columns },
      (_2, x) => `\x1B[38;2;${pixel(x, 2 * row)}m\x1B[48;2;${pixel(x, 2 * row + 1)}m\u2580`
    );
    return `${cells.join("")}\x1B[0m`;
  });
}
var scale = 3;
var margin = 8;
var textLines = 3;
var perRow = 4;
async function writeContactSheet(path, shown) {
  const cellWidth = 64 * scale + 2 * margin;
  const cellHeight = 64 * scale + 2 * margin + textLines * lineHeight + margin;
  const width = cellWidth * perRow;
  const height = cellHeight * Math.ceil(shown.length / perRow);
  const canvas = new Uint8Array(width * height * 3).fill(255);
  shown.forEach((item, index) => {
    const left = index % perRow * cellWidth + margin;
    const top = Math.floor(index / perRow) * cellHeight + margin;
    const plot = (x, y, color) => canvas.set(color, 3 * ((top + y) * width + left + x));
    drawPicture(item.picture, plot);
    drawCaption(item, (x, y, color) => plot(x, y + 64 * scale + margin, color));
  });
  await sharp(canvas, { raw: { width, height, channels: 3 } }).png().toFile(path);
}
function drawPicture({ data, width, height }, plot) {
  const side = 64 * scale;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const offset = 3 * (Math.floor(y * height / side) * width + Math.floor(x * width / side));
      plot(x, y, [data[offset], data[offset + 1], data[offset + 2]]);
    }
  }
}
function drawCaption({ question, answer, expected }, plot) {
  const right = answer === expected;
  const ink = right ? [0, 110, 40] : [190, 0, 0];
  const lines = wrap(question, Math.floor(64 * scale / advance)).slice(0, 2);
  const gray = [40, 40, 40];
  for (const [i, line] of lines.entries()) drawText(line, (x, y) => plot(x, y + i * lineHeight, gray));
  const verdict = right ? `> ${answer}` : `> ${answer} / not ${expected}`;
  drawText(verdict, (x, y) => plot(x, y + lines.length * lineHeight, ink));
}

// src/terminal.ts
var plainInterval = 5e3;
function progressLine(stream = process.stdout) {
  let last = "";
  let printed = "";
  let printedAt = Number.NEGATIVE_INFINITY;
  const plain = () => {
    stream.write(`${last}
`);
    printed = last;
    printedAt = performance.now();
  };
  return {
    update(text) {
      last = text;
      if (stream.isTTY) stream.write(`\r\x1B[2K${text.slice(0, (stream.columns ?? 80) - 1)}`);
      else if (performance.now() - printedAt > plainInterval) plain();
    },
    end() {
      if (stream.isTTY) stream.write("\n");
      else if (last !== printed) plain();
    }
  };
}
function clock(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
var percent = ({ right, total }) => `${(100 * right / Math.max(1, total)).toFixed(2)} %`;

// src/report.ts
async function report({ overall, byType, shown }, folder) {
  const rows = [...byType].map(([type, accuracy]) => [type, String(accuracy.total), percent(accuracy)]);
  console.log(
    formatTable([
      ["question type", "questions", "accuracy"],
      ...rows,
      ["all", String(overall.total), percent(overall)]
    ])
  );
  for (const item of pick(shown, 4)) show(item);
  const sheet = join(folder, "answers.png");
  await writeContactSheet(sheet, pick(shown, 16));
  console.log(`
More answers, as pictures: ${sheet}`);
}
function pick(shown, count) {
  const chosen = Math.min(count, shown.length);
  return Array.from({ length: chosen }, (_, i) => shown[Math.floor((i + 0.5) * shown.length / chosen)]);
}
function show({ picture, question, answer, expected }) {
  console.log("");
  if (process.stdout.isTTY) for (const line of terminalPicture(picture)) console.log(line);
  console.log(`Q: ${question}
A: ${answer}${answer === expected ? "" : `   (right: ${expected})`}`);
}

// src/augment.ts
function moveShape(picture, random) {
  const { width, height, data } = picture;
  const box = shapeBox(picture);
  const atSide = box.left === 0 || box.right === width;
  const atTopOrBottom = box.top === 0 || box.bottom === height;
  const mirrored = !atSide && random.uniform() < 0.5;
  const left = atSide ? box.left : random.integer(width - (box.right - box.left) + 1);
  const top = atTopOrBottom ? box.top : random.integer(height - (box.bottom - box.top) + 1);
  const moved = new Uint8Array(data.length);
  for (let offset = 0; offset < moved.length; offset += 3) moved.set(data.subarray(0, 3), offset);
  for (let y = box.top; y < box.bottom; y++) {
    for (let x = box.left; x < box.right; x++) {
      const from = 3 * (y * width + x);
      const column = mirrored ? box.right - 1 - x : x - box.left;
      moved.set(data.subarray(from, from + 3), 3 * ((y - box.top + top) * width + left + column));
    }
  }
  return { data: moved, width, height };
}
var boxes = /* @__PURE__ */ new WeakMap();
function shapeBox(picture) {
  const known = boxes.get(picture);
  if (known) return known;
  const { data, width, height } = picture;
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const offset = 3 * (y * width + x);
      if (data[offset] === data[0] && data[offset + 1] === data[1] && data[offset + 2] === data[2]) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
  }
  const box = right > left ? { left, top, right, bottom } : { left: 0, top: 0, right: width, bottom: height };
  boxes.set(picture, box);
  return box;
}

// src/captions.ts
function caption({ color, shape }, random) {
  const draw = random.uniform();
  if (color && shape) {
    if (draw < 0.4) return `a ${shape}`;
    return draw < 0.7 ? `a ${color} shape` : `a ${color} ${shape}`;
  }
  return color ? `a ${color} shape` : `a ${shape}`;
}
function describes(text, { color, shape }) {
  const [, ...words] = text.split(" ");
  return words.every((word) => word === "shape" || word === color || word === shape);
}
var captionable = (examples) => examples.filter(({ known }) => known.color || known.shape);
function captioned({ picture, known }, random) {
  return { caption: caption(known, random), image: moveShape(picture, random), known };
}

// src/training.ts
function questions(examples) {
  return examples.flatMap(
    ({ picture, questions: questions2, answers }) => questions2.map((question, i) => ({ prompt: prompt(question), images: [picture], answer: answers[i] }))
  );
}
async function trainByStages(model, examples, recipe, options) {
  const policy = (...learning) => ["encoder", "projector", "fusion", "decoder"].map((part) => [
    part,
    learning.includes(part) ? trained() : frozen
  ]);
  const data = questions(examples);
  const align = {
    name: "align",
    policy: policy("projector", "fusion"),
    data,
    ...recipe.align
  };
  const instruct = {
    name: "instruct",
    policy: policy("projector", "fusion", "decoder"),
    data,
    ...recipe.instruct
  };
  const towers = twoTowers(model, recipe.sizes);
  if (!towers) {
    await train(model, { ...options, stages: [align, instruct] });
    return;
  }
  const seen = {
    name: "contrastive",
    policy: [...policy("encoder"), ["objective", trained()]],
    objective: contrastive(towers, model.processor, {
      describes: ({ known }, caption2) => describes(caption2, known)
    }),
    data: augmented(captionable(examples), captioned),
    ...recipe.contrastive
  };
  try {
    await train(model, { ...options, stages: [seen, align, instruct] });
  } finally {
    disposeOthers(towers, model);
  }
}
function disposeOthers(towers, model) {
  const kept = new Set([...model.namedParameters()].map(([, parameter]) => parameter));
  for (const [, parameter] of towers.namedParameters()) if (!kept.has(parameter)) parameter.dispose();
}

// src/demo.ts
async function demo(run) {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1e3;
  console.log(`backend: ${describeBackend(await startBackend({ backend: run.backend }))}`);
  const [training, test] = await Promise.all([
    loadEasyVqa("train", run.limit),
    loadEasyVqa("test", run.limit)
  ]);
  console.log(`data: easy-VQA, ${amount(training)} to learn from, ${amount(test)} to answer
`);
  const tokenizer = wordTokenizer([...training.flatMap(({ questions: questions2 }) => questions2), vocabulary]);
  const model = await compose(run, run.recipe.sizes, tokenizer);
  try {
    console.log(`${model.describe()}
`);
    const folder = await runFolder(run);
    await learn(model, training, run, folder);
    const trainedIn = clock(seconds());
    const evaluation = await answerAll(model, test, run.signal);
    console.log("");
    await report(evaluation, folder);
    const { overall } = evaluation;
    const right = `${percent(overall)} of ${overall.total.toLocaleString("en-US")} answers right`;
    console.log(`
${right}; trained in ${trainedIn}, ${clock(seconds())} in all.`);
    return evaluation;
  } finally {
    model.dispose();
  }
}
async function runFolder({ runs, name, resume }) {
  const folder = join(runs, name);
  if (!resume) await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}
async function learn(model, training, run, folder) {
  const progress = trainingProgress();
  try {
    await trainByStages(model, training, run.recipe, {
      seed: run.seed,
      checkpoints: join(folder, "checkpoints"),
      log: join(folder, "log.jsonl"),
      resume: run.resume,
      signal: run.signal,
      onEvent: progress.show
    });
  } finally {
    progress.end();
  }
}
var vocabulary = ["a", "shape", "yes", "no", ...colors, ...shapes].join(" ");
var amount = (examples) => {
  const questions2 = examples.reduce((sum, example) => sum + example.questions.length, 0);
  return `${examples.length.toLocaleString("en-US")} pictures with ${questions2.toLocaleString("en-US")} questions`;
};
async function answerAll(model, test, signal) {
  const line = progressLine();
  const onProgress = (done, total) => line.update(`answering: ${done} of ${total} questions`);
  try {
    return await evaluate(model, test, { signal, onProgress });
  } finally {
    line.end();
  }
}
function trainingProgress() {
  let line;
  const end = () => {
    line?.end();
    line = void 0;
  };
  const show2 = (event) => {
    if (event.type === "stage") {
      end();
      console.log(`
stage ${event.stage}, ${event.steps} steps
${formatPolicyTable(event.policy)}
`);
    }
    if (event.type === "resume") console.log(`resuming ${event.stage} after step ${event.step}`);
    if (event.type !== "step") return;
    line ??= progressLine();
    const { stage, step, steps, loss, learningRate, tokensPerSecond, secondsLeft } = event;
    const speed = `${Math.round(tokensPerSecond).toLocaleString("en-US")} tokens/s`;
    line.update(
      `${stage} ${step}/${steps}  loss ${loss.toFixed(4)}  lr ${learningRate.toExponential(1)}  ${speed}  ${clock(secondsLeft)} left`
    );
  };
  return { show: show2, end };
}

// src/recipes.ts
var sizes = {
  patchSize: 16,
  encoder: { hiddenSize: 64, numLayers: 3, numHeads: 4 },
  text: { hiddenSize: 64, numLayers: 1, numHeads: 4, maxLength: 8 },
  decoder: {
    hiddenSize: 64,
    numLayers: 2,
    numHeads: 4,
    intermediateSize: 192,
    initializerRange: 0.125,
    embeddingRange: 1
  }
};
var recipes = {
  quick: {
    sizes,
    contrastive: { steps: 1500, batchSize: 32, learningRate: 1e-3, warmupSteps: 50 },
    align: { steps: 50, batchSize: 32, learningRate: 2e-3, warmupSteps: 5 },
    instruct: { steps: 1400, batchSize: 32, learningRate: 3e-3, warmupSteps: 50 }
  },
  long: {
    sizes,
    contrastive: { steps: 4e3, batchSize: 64, learningRate: 1e-3, warmupSteps: 100 },
    align: { steps: 50, batchSize: 32, learningRate: 2e-3, warmupSteps: 5 },
    instruct: { steps: 3e3, batchSize: 64, learningRate: 3e-3, warmupSteps: 100 }
  }
};

// src/options.ts
var backends = ["auto", "webgpu", "wasm", "cpu"];
var help = `Trains a small multimodal LLM from nothing on easy-VQA, then answers questions about unseen pictures.

npm start -- [options]
  --recipe   quick (default) or long
  --encoder  siglip (default), clip or fuyu
  --fusion   unified (default), cross-attention or hybrid
  --backend  auto (default), webgpu, wasm or cpu
  --seed     an integer, default 0
  --runs     folder for checkpoints and the log, default runs
  --resume   go on where the last run with these options stopped
  --help     this text`;
function parseOptions(args) {
  const { values } = parse(args);
  if (values.help) return "help";
  return {
    encoder: oneOf("--encoder", values.encoder, Object.keys(encoders)),
    fusion: oneOf("--fusion", values.fusion, Object.keys(fusions)),
    recipe: oneOf("--recipe", values.recipe, Object.keys(recipes)),
    backend: oneOf("--backend", values.backend, backends),
    seed: integer("--seed", values.seed),
    runs: values.runs,
    resume: values.resume
  };
}
function parse(args) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        encoder: { type: "string", default: "siglip" },
        fusion: { type: "string", default: "unified" },
        recipe: { type: "string", default: "quick" },
        backend: { type: "string", default: "auto" },
        seed: { type: "string", default: "0" },
        runs: { type: "string", default: "runs" },
        resume: { type: "boolean", default: false },
        help: { type: "boolean", default: false }
      }
    });
  } catch (cause) {
    const actual = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError({ component: "options", expected: "the options of --help", actual, cause });
  }
}
function oneOf(option, value, known) {
  if (known.includes(value)) return value;
  throw new ConfigError({ component: option, expected: known.join(", "), actual: `'${value}'` });
}
function integer(option, value) {
  if (/^\d+$/.test(value)) return Number(value);
  throw new ConfigError({ component: option, expected: "a whole number from 0", actual: `'${value}'` });
}
var runName = ({ recipe, encoder, fusion, backend, seed }) => [recipe, encoder, fusion, backend, `seed${seed}`].join("-");

// src/main.ts
async function main(args) {
  const options = parseOptions(args);
  if (options === "help") {
    console.log(help);
    return 0;
  }
  const interrupt = new AbortController();
  const stop = () => {
    if (interrupt.signal.aborted) process.exit(130);
    console.log("\nstopping after this step; press Ctrl-C again to stop at once");
    interrupt.abort();
  };
  process.on("SIGINT", stop);
  try {
    await demo({
      ...options,
      name: runName(options),
      recipe: recipes[options.recipe],
      signal: interrupt.signal
    });
    return 0;
  } catch (error) {
    if (!interrupt.signal.aborted || error !== interrupt.signal.reason) throw error;
    const again = args.includes("--resume") ? args : [...args, "--resume"];
    console.log(`Saved. Go on with: npm start -- ${again.join(" ")}`);
    return 130;
  } finally {
    process.off("SIGINT", stop);
  }
}
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(MmllmError.isInstance(error) ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}
//# sourceMappingURL=main.js.map
//# sourceMappingURL=main.js.map