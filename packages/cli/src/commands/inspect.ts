import { fileStorage } from '@mmllm/checkpoints/node';
import { ConfigError } from '@mmllm/core';
import {
  formatInspection,
  formatPublished,
  type Inspection,
  inspectConfig,
  inspectPublished,
  storedWeights,
} from '../inspect';
import { parseArguments } from './arguments';
import type { Command } from './command';
import { readConfiguration } from './configuration';

export const inspect: Command = {
  summary: 'what is in a model: components, parameters, bytes, tokens per picture',
  help: `mmllm inspect FOLDER|CONFIG.json|NAME [--json]
mmllm inspect --all [--json]

Builds what a config.json of Hugging Face describes, shape-only: nothing is allocated, so any size is counted in moments. Of a folder the weight
files' headers are read, too, for the type and the size that the weights are stored in. NAME is that of a published size, such as llava-1.5-7b.

  --all   every published size instead, by name
  --json  {modelType, parameters, components, dtype, bytes, tokensPerImage, tree} instead; with --all
          {NAME: {parameters, components}}`,

  async run(args) {
    const { values, positionals } = parseArguments('inspect', args, {
      all: { type: 'boolean' },
      json: { type: 'boolean' },
    });
    if (positionals.length !== (values.all ? 0 : 1)) {
      throw new ConfigError({
        component: 'mmllm inspect',
        expected: 'one folder, config.json or name, or --all',
        actual: `${positionals.length}${values.all ? ' and --all' : ''}`,
      });
    }
    console.log(
      values.all ? await reportAll(values.json) : await reportOne(positionals[0] as string, values.json),
    );
    return 0;
  },
};

async function reportAll(asJson: boolean): Promise<string> {
  const all = await inspectPublished();
  if (!asJson) return formatPublished(all);
  const counts = Object.entries(all).map(([name, { parameters, components }]) => [
    name,
    { parameters, components },
  ]);
  return JSON.stringify(Object.fromEntries(counts));
}

async function reportOne(nameOrPath: string, asJson: boolean): Promise<string> {
  const { json, folder } = await readConfiguration(nameOrPath);
  const stored = folder === undefined ? undefined : await storedWeights(fileStorage(folder));
  const inspection: Inspection = { ...(await inspectConfig(json)), ...stored };
  return asJson ? JSON.stringify(inspection) : formatInspection(inspection);
}
