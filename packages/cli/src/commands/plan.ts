import { ConfigError } from '@mmllm/core';
import { formatPlan, type PlanOptions, parseBytes, planConfig } from '../plan';
import { parseArguments } from './arguments';
import type { Command } from './command';
import { readConfiguration } from './configuration';

export const plan: Command = {
  summary: 'what a step takes: memory by its parts, operations, the batch that fits',
  help: `mmllm plan FOLDER|CONFIG.json|NAME [--stage S] [--batch B] [--length T] [--images N] [--answer A]
           [--dtype D] [--checkpointing] [--optimizer O] [--memory M] [--json]

Runs a step of the trainer on a backend that has shapes and no data: nothing is allocated, so any size is planned in moments. NAME is that of a
published size, such as llava-1.5-7b.

  --stage          a stage of the system, all (everything is trained), or inference (nothing is); default: all
  --batch          samples to a step; default: 1
  --length         tokens of a sample, pictures included; default: 2048, or what the pictures take and 512
  --images         pictures of a sample, the largest there are; default: 1, or 0 for a model of text
  --answer         tokens of a sample that the loss counts; default: all text behind the pictures
  --dtype          what frozen matrices are held as: float32, bfloat16, float16, q8, q4 or q4_1; default: float32
  --checkpointing  keep the input of each layer of the decoder alone, and compute the rest again on the way back
  --optimizer      adamw, the default
  --memory         what there is, such as 16GB or 512MiB: says whether the step fits, and the largest batch that does
  --json           {stage, batch, length, images, dtype, parameters, trained, weights, gradients, optimizer, activations,
                   kvCache, peak: {bytes, phase, numBytes}, flops: {forward, backward},
                   fit: {memory, fits, largestBatch}} instead, all sizes in bytes`,

  async run(args) {
    const { values, positionals } = parseArguments('plan', args, {
      stage: { type: 'string' },
      batch: { type: 'string' },
      length: { type: 'string' },
      images: { type: 'string' },
      answer: { type: 'string' },
      dtype: { type: 'string' },
      checkpointing: { type: 'boolean' },
      optimizer: { type: 'string' },
      memory: { type: 'string' },
      json: { type: 'boolean' },
    });
    const [nameOrPath, ...more] = positionals;
    if (nameOrPath === undefined || more.length > 0) {
      const actual = `${positionals.length}`;
      throw new ConfigError({ component: 'mmllm plan', expected: 'one folder, config.json or name', actual });
    }
    const { json } = await readConfiguration(nameOrPath);
    const planned = await planConfig(json, {
      ...{ stage: values.stage, batch: number(values.batch), length: number(values.length) },
      ...{ images: number(values.images), answer: number(values.answer) },
      // Whether they are what it takes is what the plan checks.
      dtype: values.dtype as PlanOptions['dtype'],
      optimizer: values.optimizer as PlanOptions['optimizer'],
      gradientCheckpointing: values.checkpointing,
      memory: values.memory === undefined ? undefined : parseBytes('--memory', values.memory),
    });
    console.log(values.json ? JSON.stringify(planned) : formatPlan(planned));
    return 0;
  },
};

/** What is no number is NaN, which the plan refuses. */
const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);
